"""A fake of Anthropic, OpenAI and Gemini: a server on this machine that speaks their wire formats, and fails on demand.

It is for tests and demonstrations; nothing that it says comes out of a model. `krins.fake_provider.server.FakeProvider`
runs it in an event loop, `krins-eval fake-provider` as a process. Invariants: the official SDKs cannot tell it from the
real thing; the same request gets the same answer and costs the same tokens; whatever was generated is on its bill,
whether or not it arrived. Left out: anything that thinks, and TLS.
"""
