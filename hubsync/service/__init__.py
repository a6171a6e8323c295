"""`hubsync serve`: webhooks and polls say which contacts to look at, timers when; one worker a portal looks at them.

Nothing here decides or talks to HubSpot by itself: policy/ decides, sync/ is the path from reading to writing.
"""
