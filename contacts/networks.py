"""The networks a ledger knows: their names, native coins and explorers.

Chain ids, symbols and explorers of EVM networks are those of ethereum-lists/chains and of
Etherscan's list of supported chains.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

# An address belongs to a family of networks: one EVM address is the same on each of them.
# The order is the one in which people are offered a choice.
FAMILIES: dict[str, str] = {
    "evm": "Ethereum (EVM)",
    "bitcoin": "Bitcoin",
    "bitcoin-cash": "Bitcoin Cash",
    "litecoin": "Litecoin",
    "dogecoin": "Dogecoin",
    "dash": "Dash",
    "zcash": "Zcash",
    "solana": "Solana",
    "tron": "Tron",
    "xrp": "XRP Ledger",
    "cardano": "Cardano",
    "cosmos": "Cosmos Hub",
    "monero": "Monero",
    "bitcoin-testnet": "Bitcoin test networks",
}


@dataclass(frozen=True)
class Network:
    """One chain. `decimals` are those of its native coin; `chain_id` is EIP-155's."""

    slug: str
    name: str
    family: str
    symbol: str
    decimals: int
    chain_id: int | None
    explorer: str | None
    transaction_path: str = "tx"
    address_path: str | None = "address"

    def transaction_url(self, txid: str) -> str | None:
        """The explorer's page of a transaction; None where no explorer is known."""
        return self._page(self.transaction_path, txid)

    def address_url(self, address: str) -> str | None:
        """The explorer's page of an address; None where no explorer shows addresses."""
        return self._page(self.address_path, address)

    def _page(self, path: str | None, name: str) -> str | None:
        if self.explorer is None or path is None:
            return None
        return f"{self.explorer}/{path}/{quote(name, safe=':')}"


def _evm(slug: str, name: str, symbol: str, chain_id: int, explorer: str) -> Network:
    """Every EVM network's coin has 18 decimals, and its explorer follows EIP-3091's paths."""
    return Network(slug, name, "evm", symbol, 18, chain_id, explorer)


def _own(
    slug: str,
    name: str,
    symbol: str,
    decimals: int,
    explorer: str,
    transaction_path: str = "tx",
    address_path: str | None = "address",
) -> Network:
    """A network whose addresses are its own, so that it is its family."""
    return Network(
        slug, name, slug, symbol, decimals, None, explorer, transaction_path, address_path
    )


def _by_slug(networks: Iterable[Network]) -> dict[str, Network]:
    return {network.slug: network for network in networks}


NETWORKS: dict[str, Network] = _by_slug(
    [
        _evm("ethereum", "Ethereum", "ETH", 1, "https://etherscan.io"),
        _own("bitcoin", "Bitcoin", "BTC", 8, "https://mempool.space"),
        _evm("polygon", "Polygon PoS", "POL", 137, "https://polygonscan.com"),
        _evm("bsc", "BNB Smart Chain", "BNB", 56, "https://bscscan.com"),
        _evm("arbitrum", "Arbitrum One", "ETH", 42161, "https://arbiscan.io"),
        _evm("optimism", "OP Mainnet", "ETH", 10, "https://optimistic.etherscan.io"),
        _evm("base", "Base", "ETH", 8453, "https://basescan.org"),
        _evm("avalanche", "Avalanche C-Chain", "AVAX", 43114, "https://snowtrace.io"),
        _evm("gnosis", "Gnosis", "xDAI", 100, "https://gnosisscan.io"),
        _own("litecoin", "Litecoin", "LTC", 8, "https://litecoinspace.org"),
        _own("dogecoin", "Dogecoin", "DOGE", 8, "https://blockchair.com/dogecoin", "transaction"),
        _own("solana", "Solana", "SOL", 9, "https://explorer.solana.com"),
        _own("tron", "Tron", "TRX", 6, "https://tronscan.org/#", "transaction"),
        _own(
            "bitcoin-cash",
            "Bitcoin Cash",
            "BCH",
            8,
            "https://blockchair.com/bitcoin-cash",
            "transaction",
        ),
        _own("dash", "Dash", "DASH", 8, "https://insight.dash.org/insight"),
        _own("zcash", "Zcash", "ZEC", 8, "https://blockchair.com/zcash", "transaction"),
        # A Monero transaction does not show whose it is, so no explorer has pages of addresses.
        _own("monero", "Monero", "XMR", 12, "https://xmrchain.net", address_path=None),
        _own("xrp", "XRP Ledger", "XRP", 6, "https://xrpscan.com", "tx", "account"),
        _own("cardano", "Cardano", "ADA", 6, "https://cardanoscan.io", "transaction"),
        _own("cosmos", "Cosmos Hub", "ATOM", 6, "https://www.mintscan.io/cosmos"),
        _evm("fantom", "Fantom Opera", "FTM", 250, "https://ftmscan.com"),
        _evm("sonic", "Sonic", "S", 146, "https://sonicscan.org"),
        _evm("cronos", "Cronos", "CRO", 25, "https://explorer.cronos.org"),
        _evm("celo", "Celo", "CELO", 42220, "https://celoscan.io"),
        _evm("moonbeam", "Moonbeam", "GLMR", 1284, "https://moonbeam.moonscan.io"),
        _evm("moonriver", "Moonriver", "MOVR", 1285, "https://moonriver.moonscan.io"),
        _evm("zksync", "ZKsync Era", "ETH", 324, "https://explorer.zksync.io"),
        _evm("linea", "Linea", "ETH", 59144, "https://lineascan.build"),
        _evm("scroll", "Scroll", "ETH", 534352, "https://scrollscan.com"),
        _evm("blast", "Blast", "ETH", 81457, "https://blastscan.io"),
        _evm("mantle", "Mantle", "MNT", 5000, "https://explorer.mantle.xyz"),
        _evm("arbitrum-nova", "Arbitrum Nova", "ETH", 42170, "https://nova.arbiscan.io"),
        _evm("polygon-zkevm", "Polygon zkEVM", "ETH", 1101, "https://zkevm.polygonscan.com"),
        _evm("opbnb", "opBNB", "BNB", 204, "https://opbnbscan.com"),
        _evm("unichain", "Unichain", "ETH", 130, "https://uniscan.xyz"),
        _evm("world-chain", "World Chain", "ETH", 480, "https://worldscan.org"),
        _evm("berachain", "Berachain", "BERA", 80094, "https://berascan.com"),
        _evm("abstract", "Abstract", "ETH", 2741, "https://abscan.org"),
        _evm("ronin", "Ronin", "RON", 2020, "https://app.roninchain.com"),
        _evm("metis", "Metis Andromeda", "METIS", 1088, "https://explorer.metis.io"),
        _evm("ethereum-classic", "Ethereum Classic", "ETC", 61, "https://etc.blockscout.com"),
        _evm("sepolia", "Sepolia", "ETH", 11155111, "https://sepolia.etherscan.io"),
        _evm("hoodi", "Hoodi", "ETH", 560048, "https://hoodi.etherscan.io"),
        _own("bitcoin-testnet", "Bitcoin testnet", "tBTC", 8, "https://mempool.space/testnet4"),
    ]
)
