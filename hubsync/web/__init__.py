"""What the service shows and hears over HTTP: HubSpot's webhooks come in (`app`, `receiver`, `events`), people and
machines look at how it is doing (`pages`, `probes`). `server` puts it on a port.

It turns requests into hints and values into pages; it decides nothing and asks HubSpot nothing.
"""
