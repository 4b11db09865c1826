"""The gate itself: which models to measure, measuring them, and judging what was measured.

``run.py`` is the whole of it, and shows the order:

- *plan*: ``request``, ``git``, ``plan``, ``plan_output``; the files of a model: ``closure``, ``file_tree``,
  ``toolchain``, ``opened``;
- *measure*: ``collect``, ``at_once``, ``memory_needed``, ``environment``, ``scratch``, ``progress``;
- *baseline*: ``baseline`` (its form), ``base`` (stored or rebuilt), ``mixed_baseline`` (partly out of date);
- *Core ML*: ``core_ml_run``, ``core_ml``, ``core_ml_host``; on iPhones: ``device_command``, ``on_device``;
- *judge*: ``judge``, ``config_changes``, ``stopped`` (an interrupted run);
- *rank variants*: ``ranking``, ``packages_compared``, ``latency_by_package``.
"""
