"""The only code that reaches HubSpot: `gateway.Gateway` is the door, `values` is what passes through it.

No rule, no plan and no database belongs here; only `transport` knows HTTP.
"""
