"""The networks for texts, by kind."""

from genset.interfaces import Network
from genset.modalities.text.recurrent import Gru, Lstm
from genset.modalities.text.transformer import Transformer

NETWORKS: dict[str, type[Network]] = {"gru": Gru, "lstm": Lstm, "transformer": Transformer}
