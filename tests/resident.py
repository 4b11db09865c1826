"""What a process holds of a package's files, read from the system."""

from pathlib import Path

from coreml_gate.mil.package import Package


def resident_bytes(package: Package) -> int:
    """Of the package's files that are mapped into this process."""
    found, inside = 0, False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        if "-" in line.split()[0] and not line.split()[0].endswith(":"):
            inside = str(package.path.resolve()) in line
        elif inside and line.startswith("Rss:"):
            found += 1024 * int(line.split()[1])
    return found
