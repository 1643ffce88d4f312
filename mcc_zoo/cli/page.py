"""The command that opens the demo page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mcc_zoo.audio.checks import AudioError
from mcc_zoo.catalogue.inputs import Inputs
from mcc_zoo.cli.common import INTERRUPTED, fail, list_inputs, load_tagger, say, tag_inputs
from mcc_zoo.cli.options import DecoderOption, ExportArgument
from mcc_zoo.extras import require
from mcc_zoo.tensorflow_start import quiet

app = typer.Typer()


@app.command(
    "demo-page",
    epilog="Example: mcc-zoo demo-page mcclstm_pretrained --folder my_music\n\n"
    "Example: mcc-zoo demo-page mcclstm_pretrained --server http://tagging.example:8501",
)
def open_page(
    export: ExportArgument,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            exists=True,
            file_okay=False,
            help="A folder of tracks, described at the start; the page shows those nearest to your track.",
        ),
    ] = None,
    server: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Ask a TF Serving that serves this model under its name, such as http://localhost:8501. By default "
            "the model runs in this process.",
        ),
    ] = "",
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The page's port on this machine; 0 takes a free one.")
    ] = 8080,
    decoder: DecoderOption = "auto",
) -> None:
    """Open a local web page to hear a track and see its tags over time while it plays.

    Only this machine can reach the page. The same address also takes samples as TF Serving does over REST,
    POST /v1/models/NAME:predict; files only with --server, which hands such requests on.

    This command needs the extra page: pip install 'mcc_zoo[page]'

    Exit status: 130 after Ctrl-C, which ends it; 2 if it cannot be started.
    """
    if server and not server.startswith(("http://", "https://")):
        fail(f"--server={server!r}: give a URL, such as http://localhost:8501")
    for module in ("werkzeug", "requests"):
        require(module, "page")
    from mcc_zoo import demo_page

    tagger = load_tagger(export, decoder)
    name, library = tagger.metadata.name, None
    with quiet():
        model = demo_page.ServedModel(server, name) if server else demo_page.LoadedModel(tagger.folder, name)
    if folder:
        try:
            results = tag_inputs(tagger, list_inputs(Inputs([str(folder)])), "windows", "describing")
            library = demo_page.Library.from_results(results, folder)
        except AudioError as error:
            fail(str(error))
    try:
        listener = demo_page.listen(demo_page.DemoPage(tagger, model, library), port)
    except OSError as error:
        fail(f"--port={port} cannot be used ({os.strerror(error.errno or 0)}): give another, or 0 for a free one")
    say(f"http://{demo_page.HOST}:{listener.port} shows {name}; Ctrl-C ends it")
    listener.serve_forever()
    raise typer.Exit(INTERRUPTED)  # the server handles Ctrl-C itself
