"""Every fault of the fake provider x every provider x streamed or not: how a call ends, and who is charged for it."""

from __future__ import annotations

import asyncio

import pytest

from krins.fake_provider.faults import Kind
from krins.models.spec import ProviderName
from tests.support.fake_provider import running
from tests.support.fault_matrix import CASES, PROVIDERS, Case, Met, base_url, faults_of, meet, row_of

OUTAGES = (Kind.CONNECT_REFUSED, Kind.RESET_AT_ACCEPT)
"""These strike everybody who calls meanwhile, so each has a server of its own."""


AT_ONCE = 6
"""More would make each other wait on two cores, past the limits of time that are tested here."""


async def together(cases: list[Case]) -> list[str]:
    slots = asyncio.Semaphore(AT_ONCE)
    async with running() as server:

        async def play(case: Case) -> Met:
            async with slots:
                return await meet(case, base_url(server.url, case.provider))

        await meet(Case(cases[0].provider, Kind.LENGTH, False), base_url(server.url, cases[0].provider))  # imports SDKs
        met = await asyncio.gather(*map(play, cases))
        rows = server.bill.rows
        return [f"{one.case}: {fault}" for one in met for fault in faults_of(one, row_of(one.case, rows))]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_fault_ends_as_documented_and_is_charged_as_the_provider_bills_it(provider: ProviderName) -> None:
    cases = [case for case in CASES if case.provider == provider and case.kind not in OUTAGES]
    assert len(cases) == 2 * (len(Kind) - len(OUTAGES))
    assert asyncio.run(together(cases)) == []


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("kind", OUTAGES)
def test_a_server_that_is_gone_costs_nothing_that_is_not_said(provider: ProviderName, kind: Kind) -> None:
    for is_streamed in (False, True):
        assert asyncio.run(together([Case(provider, kind, is_streamed)])) == []
