"""Networks: slugs, families and links to explorers."""

import re
from urllib.parse import urlsplit

import pytest

from contacts.networks import FAMILIES, NETWORKS

ALICE = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
TXID = "117756c2023161a70a4146feedf5b3a3f0b2028e8bc8542b4c59f994a29e5817"


def test_networks_of_the_interface_exist() -> None:
    designed = {"ethereum", "bitcoin", "polygon", "bsc", "arbitrum", "optimism", "base"}
    designed |= {"avalanche", "gnosis", "litecoin", "dogecoin", "solana", "tron"}
    assert designed <= set(NETWORKS)


def test_slug_is_a_plain_word_and_its_own_key() -> None:
    for slug, network in NETWORKS.items():
        assert network.slug == slug
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug)


def test_every_family_has_a_network_and_every_network_a_family() -> None:
    assert {network.family for network in NETWORKS.values()} == set(FAMILIES)


def test_chain_ids_and_names_are_unique() -> None:
    chain_ids = [network.chain_id for network in NETWORKS.values() if network.chain_id]
    assert len(chain_ids) == len(set(chain_ids))
    assert len({network.name for network in NETWORKS.values()}) == len(NETWORKS)


def test_only_evm_networks_have_chain_ids() -> None:
    for network in NETWORKS.values():
        assert (network.chain_id is not None) == (network.family == "evm")


@pytest.mark.parametrize(
    ("slug", "symbol", "decimals", "chain_id"),
    [
        ("ethereum", "ETH", 18, 1),
        ("optimism", "ETH", 18, 10),
        ("bsc", "BNB", 18, 56),
        ("gnosis", "xDAI", 18, 100),
        ("polygon", "POL", 18, 137),
        ("base", "ETH", 18, 8453),
        ("arbitrum", "ETH", 18, 42161),
        ("avalanche", "AVAX", 18, 43114),
        ("sepolia", "ETH", 18, 11155111),
        ("bitcoin", "BTC", 8, None),
        ("litecoin", "LTC", 8, None),
        ("dogecoin", "DOGE", 8, None),
        ("solana", "SOL", 9, None),
        ("tron", "TRX", 6, None),
        ("xrp", "XRP", 6, None),
        ("monero", "XMR", 12, None),
    ],
)
def test_facts_of_a_network(slug: str, symbol: str, decimals: int, chain_id: int | None) -> None:
    network = NETWORKS[slug]
    assert (network.symbol, network.decimals, network.chain_id) == (symbol, decimals, chain_id)


@pytest.mark.parametrize(
    ("slug", "url"),
    [
        ("ethereum", f"https://etherscan.io/tx/{TXID}"),
        ("bitcoin", f"https://mempool.space/tx/{TXID}"),
        ("tron", f"https://tronscan.org/#/transaction/{TXID}"),
        ("cardano", f"https://cardanoscan.io/transaction/{TXID}"),
    ],
)
def test_link_to_a_transaction(slug: str, url: str) -> None:
    assert NETWORKS[slug].transaction_url(TXID) == url


def test_link_to_an_address() -> None:
    assert NETWORKS["base"].address_url(ALICE) == f"https://basescan.org/address/{ALICE}"
    assert NETWORKS["xrp"].address_url("rBob") == "https://xrpscan.com/account/rBob"
    assert NETWORKS["bitcoin-cash"].address_url("bitcoincash:qbob") == (
        "https://blockchair.com/bitcoin-cash/address/bitcoincash:qbob"
    )


def test_no_link_where_the_explorer_shows_no_addresses() -> None:
    assert NETWORKS["monero"].address_url("4Bob") is None


def test_text_from_a_file_cannot_leave_the_explorer() -> None:
    for network in NETWORKS.values():
        url = network.transaction_url('../../x?y#"><script>')
        assert url is not None
        assert url.startswith(f"{network.explorer}/{network.transaction_path}/..%2F..%2Fx%3Fy%23")
        assert urlsplit(url).scheme == "https"
