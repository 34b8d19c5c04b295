"""The history of a training as TensorBoard reads it, written during the training."""

from collections.abc import Mapping
from pathlib import Path


class TensorBoard:
    """Writes each row of the history as scalars into a folder: `tensorboard --logdir FOLDER` shows them."""

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        self._tf = tf
        # What `tf.summary.scalar` would write; that function imports the complete TensorBoard package for it.
        plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        self._scalar = tf.compat.v1.SummaryMetadata(plugin_data=plugin, data_class=1)
        self._writer = tf.summary.create_file_writer(str(folder))

    def __call__(self, row: Mapping[str, float]) -> None:
        """Write one row of history.csv."""
        with self._writer.as_default(step=int(row["step"])):
            for name, value in row.items():
                self._tf.summary.write(name, self._tf.constant(value, self._tf.float32), metadata=self._scalar)
        self._writer.flush()
