"""Where the numbers come from: stored baselines, Records of other jobs, of untrusted runs, of releases."""
