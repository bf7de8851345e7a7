"""svc-super, a process supervisor for containers: `svc-super` is in the `bin` folder of the environment.

The JSON Schema of services.yaml is `services.schema.json` in this package's folder.
"""
