"""Where numbers come from: stored baselines, Records of other jobs, of untrusted runs and of releases."""
