"""Sources of numbers: stored baselines, Records of other jobs, of untrusted runs, of releases."""
