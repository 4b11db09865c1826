"""Everything that talks to GitHub, from the event to the comment, from the ground up:

- ``api``: what GitHub and the runner say, as frozen values: client, event, pull request, artifacts, zips;
- ``evidence``: where the numbers come from: stored baselines, Records of other jobs, of forks, of releases;
- ``judging``: what a Verdict needs that only GitHub knows: overrides, accepted failures, changed limits;
- ``publishing``: what people see: check, comment, suggestions, annotations, summary, outputs;
- ``requests``, ``effects``, ``steps``, ``commands``: the steps of the action, what each is given, and the
  command line that starts them.
"""
