"""hubsync keeps Lead status and Lifecycle stage in a HubSpot portal true and consistent."""

__version__ = "0.1.0"
