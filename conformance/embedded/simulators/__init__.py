"""Stand-ins for the upstreams behind the embedded gateway: one Starlette app on loopback.

A simulator accepts and refuses what the vendor's own published schema says (`schemas`, `strict`),
plus what a vendor refuses for one model only (`refusals`), in that vendor's own words (`voices`).
Each answers from the same `completion`, rendered in its own wire format, and `journal` remembers
what reached it. Nothing here imports the rest of the package.
"""
