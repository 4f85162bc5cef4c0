"""Inference models: weights with manifests, and the runners that turn pixels into numbers.

Import from the modules: `models.detector`, `models.embedding`, `models.gallery`, `models.change`,
`models.manifest`. The package itself imports nothing, so that reading a manifest does not load a
runtime, and nothing outside `models.training` ever loads torch or ultralytics.
"""
