"""coremltools' own tests, run against our MIL runtime under limits that show real errors.

``python conformance/run.py --help`` says how to run them; ``docs/operations.md`` holds what came out.
"""
