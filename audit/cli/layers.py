"""The command `irene layers`."""

from pathlib import Path

import click

from audit.cli.options import CHECKPOINT, MODEL, SOURCE, ModelOptions, SourceOptions, with_options


@click.command()
@CHECKPOINT
@with_options(MODEL, SOURCE)
def layers(checkpoint: Path, **options: object) -> None:
    """List every layer of CHECKPOINT: name, type, output, width, how often it fires, and the suggested bottleneck.

    A layer that fires once can be audited: by its name for what it returns, with `:input` behind it for what
    it is given. `logits` is what the model returns. The width is that after mean pooling, and unknown where the model
    does not make known which axis holds the channels: say so with --pool.

    \b
    Example:
      irene layers out/demo/model.safetensors --arch small-convnet --data digits
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from audit.environment import choose_device
    from audit.errors import BottleneckError, visible
    from audit.model.forward import first_input, with_arguments
    from audit.model.structure import listing

    model = ModelOptions.of(options)
    device = choose_device(model.device)
    loaded = model.load(checkpoint)
    module = loaded.module.to(device)
    data = SourceOptions.of(options).open("audit", model.architecture(checkpoint))
    x = first_input(module, with_arguments(module, data), rows=loaded.fixed_batch or 2)
    table = Table("layer", "type", "output", "width", "fired", box=None, header_style="bold")
    for layer in listing.layers(module, x, fixed_batch=loaded.fixed_batch):
        shape = " × ".join(map(str, layer.shape)) if layer.shape is not None else "–"
        width = str(layer.width) if layer.width is not None else "unknown" if layer.shape else "–"
        table.add_row(*(Text(visible(cell)) for cell in (layer.name, layer.kind, shape, width, str(layer.fired))))
    console = Console()
    console.print(table)
    try:
        suggested = listing.suggest(module, x, fixed_batch=loaded.fixed_batch)
        leaves = ", what the model returns; with a --task, the input of what scores it"
        suggestion = f"Suggested bottleneck: {suggested}{leaves if suggested == listing.OUTPUT else ''}"
    except BottleneckError as error:
        suggestion = str(error)
    console.print(visible(suggestion), highlight=False, markup=False)
