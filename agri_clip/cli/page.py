"""The command app: the web page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agri_clip.cli.options import Device, EncoderName, ProposerName, app, chosen_models, finite


@app.command("app")
def page(
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for other machines too.")
    ] = "127.0.0.1",
    port: Annotated[int | None, typer.Option("--port", help="Default: the first free one from 7860 on.")] = None,
    folder: Annotated[
        list[Path] | None, typer.Option("--folder", help="A folder of photos here that visitors may count.")
    ] = None,
    archives: Annotated[
        Path | None, typer.Option("--archives", help="Folder whose archives visitors may open and add to.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option("--answers", help="Folder in which visitors' corrections stay.")
    ] = None,
    encoder: EncoderName = None,
    proposer: ProposerName = None,
    device: Device = None,
    auth: Annotated[
        list[str] | None, typer.Option("--auth", help="Who may log in, as name:password; give it once or often.")
    ] = None,
    root_path: Annotated[
        str | None, typer.Option("--root-path", help="Where a proxy shows the page, such as /traps.")
    ] = None,
    share: Annotated[
        bool, typer.Option("--share", help="Open a public address through a server of Gradio's makers.")
    ] = False,
    keep_minutes: Annotated[
        float,
        typer.Option(
            "--keep-minutes",
            callback=finite,
            help="How long a visitor's uploads stay after the last use.",
        ),
    ] = 60,
    queue: Annotated[int, typer.Option("--queue", help="Most jobs that may wait.")] = 32,
    max_upload: Annotated[
        float, typer.Option("--max-upload", callback=finite, help="Most megabytes of one upload.")
    ] = 500,
    max_megapixels: Annotated[
        float, typer.Option("--max-megapixels", callback=finite, help="Most megapixels of one photo.")
    ] = 120,
    max_zip_files: Annotated[int, typer.Option("--max-zip-files", help="Most files in a zip.")] = 5000,
    max_zip: Annotated[
        float, typer.Option("--max-zip", callback=finite, help="Most megabytes of a zip, unpacked.")
    ] = 20_000,
) -> None:
    """Open the web page: find, count, check and keep without a terminal."""
    from agri_clip.ui.launch import serve
    from agri_clip.ui.options import PageOptions, parse_accounts
    from agri_clip.ui.uploads import Limits

    models = chosen_models(encoder, proposer)
    options = PageOptions(
        proposer=models.proposer,
        encoder=models.encoder,
        device=device,
        folders=tuple(folder or ()),
        archives=archives,
        answers=answers,
        keep_minutes=keep_minutes,
        queue=queue,
        limits=Limits(max_upload, max_megapixels, max_zip_files, max_zip),
    )
    serve(options, host=host, port=port, share=share, accounts=parse_accounts(auth or ()), root_path=root_path)
