"""The portal over HTTP: routes, bodies, limits, faults. Nothing in here changes a record except through `Portal`."""
