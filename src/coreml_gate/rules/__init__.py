"""Known pitfalls of Core ML conversion, each a rule with its evidence and its fix.

A rule looks at frozen values and needs neither torch nor coremltools.
"""
