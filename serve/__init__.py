"""The service: the router that won, and the coordinator, behind the APIs that clients already speak.

An application folder: Ray takes it as its working directory (`serve run serve.app:build`), it is never installed.
"""
