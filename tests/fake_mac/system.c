/* What ctypes calls on macOS, for tests elsewhere: NSProcessInfo through objc_msgSend, and proc_pid_rusage. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const process_info = "NSProcessInfo";

void *objc_getClass(const char *name) { return strcmp(name, process_info) ? NULL : (void *)process_info; }

const char *sel_registerName(const char *name) { return name; }

/* Answers as an M-series Mac on mains does: fair, no low-power mode. Anything else is a message to nobody. */
void *objc_msgSend(void *receiver, const char *selector) {
  if (receiver != (void *)process_info) return NULL;
  if (!strcmp(selector, "processInfo")) return receiver;
  if (!strcmp(selector, "thermalState")) return (void *)1;
  return NULL;
}

/* sys/resource.h of Darwin: flavour 4 has a UUID and 36 words; 7 is the footprint, 28 the greatest so far. */
int proc_pid_rusage(int pid, int flavour, uint64_t *usage) {
  unsigned long pages = 0, peak_kb = 0;
  char line[256];
  FILE *file;
  if (flavour != 4 || pid != getpid()) return -1;
  memset(usage, 0, 16 + 36 * sizeof(uint64_t));
  if ((file = fopen("/proc/self/statm", "r"))) {
    if (fscanf(file, "%*s %lu", &pages) != 1) pages = 0;
    fclose(file);
  }
  if ((file = fopen("/proc/self/status", "r"))) {
    while (fgets(line, sizeof line, file)) sscanf(line, "VmHWM: %lu", &peak_kb);
    fclose(file);
  }
  usage[2 + 7] = pages * (uint64_t)getpagesize();
  usage[2 + 28] = peak_kb * 1024;
  return 0;
}
