"""`assay proof`: commit to a proof of compute, open sampled rows, verify them, make fraud proofs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.cli.job_options import (
    Beacon,
    ChainId,
    Chunk,
    Columns,
    Device,
    Epoch,
    InnerLength,
    Job,
    NonceRoot,
    Oracle,
    ProfileId,
    ProfileName,
    Rounds,
    RowsPerRound,
)
from assay.cli.output import OutputFormat, fail, show
from assay.proof.errors import ProofError
from assay.protocol import types
from assay.protocol.hexadecimal import parse_bytes32, to_hex

commands = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Commit to, open and verify a proof.", add_completion=False
)

Output = Annotated[OutputFormat, typer.Option("-o", "--output", help="table for people, json for programs")]
EngineName = Annotated[str, typer.Option("--engine", help="auto, reference, cpu, simt or mma")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, max=1024, help="processor threads [default: all]")]
Rho = Annotated[str, typer.Option("--rho", help="ρ, 32 bytes as 0x…")]
Samples = Annotated[int | None, typer.Option("--samples", help="rows sampled [default: the profile's k]")]


@contextmanager
def _clear_errors() -> Iterator[None]:
    """Bad input ends with one line that says what was wrong, and exit status 2."""
    try:
        yield
    except (ProofError, ValueError) as error:
        fail(str(error))
    except MemoryError:
        fail("not enough memory for these sizes: choose a smaller profile (micro, edge, datacenter)")


@commands.command()
def commit(
    out: Annotated[Path, typer.Option("--out", help="where to write the proof")],
    chain_id: ChainId,
    oracle: Oracle,
    epoch: Epoch,
    beacon: Beacon,
    device: Device,
    nonce_root: NonceRoot,
    profile_name: ProfileName = None,
    m: RowsPerRound = None,
    n: Columns = None,
    k: InnerLength = None,
    rounds: Rounds = None,
    chunk: Chunk = None,
    profile: ProfileId = None,
    engine: EngineName = "auto",
    threads: Threads = None,
    output: Output = OutputFormat.table,
) -> None:
    """Compute all rounds and write the proof, from which rows can be opened later."""
    with _clear_errors():
        job = Job(profile_name, m, n, k, rounds, chunk, profile, chain_id, oracle, epoch, beacon, device, nonce_root)
        statement = job.statement()
        from assay.proof import proof_file
        from assay.proof.engines import engine as engine_named

        prover = engine_named(engine, threads)
        prover.prepare(statement.profile, statement.epoch_seed)
        proof = prover.prove(statement.device_seed)
        proof_file.save(out, statement, proof)
        show(
            {
                "epochSeed": to_hex(statement.epoch_seed),
                "deviceSeed": to_hex(statement.device_seed),
                "resultRoot": to_hex(proof.result_root),
                "jobHash": to_hex(statement.profile.job_hash(statement.epoch_seed)),
                "elapsedMs": proof.elapsed_us / 1000,
                "gops": round(proof.gops, 3),
                "engine": prover.name,
                "roundRoots": [to_hex(root) for root in proof.round_roots[:64]],
                "file": str(out),
            },
            output,
        )


@commands.command(name="open")
def open_rows(
    proof: Annotated[Path, typer.Option("--proof", help="file that `assay proof commit` wrote")],
    out: Annotated[Path, typer.Option("--out", help="where to write the openings")],
    rho: Rho,
    samples: Samples = None,
    threads: Threads = None,
    output: Output = OutputFormat.table,
) -> None:
    """Open the rows that ρ samples."""
    with _clear_errors():
        drawn = types.Rho(parse_bytes32(rho, "--rho"))
        from assay.proof import openings_file, proof_file, sampling
        from assay.proof.engines.cpu import CpuEngine

        statement, held = proof_file.load(proof, CpuEngine(threads).multiplier)
        count = _samples(samples, statement.profile.k)
        indices = sampling.samples(drawn, statement.device_id, statement.profile, count)
        opening = held.open(indices)
        contents = openings_file.OpeningsFile(statement, held.result_root, drawn, count, opening)
        openings_file.save(out, contents)
        show(
            {
                "resultRoot": to_hex(held.result_root),
                "samples": count,
                "distinctRows": len(set(indices)),
                "bytes": len(opening),
                "file": str(out),
            },
            output,
        )


@commands.command()
def verify(
    openings: Annotated[Path, typer.Option("--openings", help="file that `assay proof open` wrote")],
    rho: Rho,
    samples: Samples = None,
    result_root: Annotated[
        str | None,
        typer.Option("--result-root", help="what the device committed to [default: the file's claim]"),
    ] = None,
    chain_id: ChainId | None = None,
    oracle: Oracle | None = None,
    epoch: Epoch | None = None,
    beacon: Beacon | None = None,
    device: Device | None = None,
    nonce_root: NonceRoot | None = None,
    profile_name: ProfileName = None,
    m: RowsPerRound = None,
    n: Columns = None,
    k: InnerLength = None,
    rounds: Rounds = None,
    chunk: Chunk = None,
    profile: ProfileId = None,
    threads: Threads = None,
    output: Output = OutputFormat.table,
) -> None:
    """Verify openings; every option given must agree with the file. Exits with 0 only if they are valid."""
    with _clear_errors():
        drawn = types.Rho(parse_bytes32(rho, "--rho"))
        expected_root = None if result_root is None else parse_bytes32(result_root, "--result-root")
        job = Job(profile_name, m, n, k, rounds, chunk, profile, chain_id, oracle, epoch, beacon, device, nonce_root)
        job.check()
        if samples is not None:
            _samples(samples, samples)
        from assay.proof import openings_file, sampling
        from assay.proof.verification import Verifier

        try:
            held = openings_file.load(openings)
        except ProofError as error:
            _verdict(False, str(error), {}, output)
            raise typer.Exit(1) from None
        statement = held.statement
        count = statement.profile.k if samples is None else samples
        about: dict[str, Any] = {
            "resultRoot": to_hex(held.result_root),
            "deviceId": to_hex(statement.device_id),
            "samples": count,
        }
        problem = job.disagreement(statement)
        if problem is None and expected_root is not None and expected_root != held.result_root:
            problem = f"the openings are of result root {to_hex(held.result_root)}, not {to_hex(expected_root)}"
        if problem is None:
            verifier = Verifier(statement.profile, statement.epoch_seed, drawn, threads)
            indices = sampling.samples(drawn, statement.device_id, statement.profile, count)
            verdict = verifier.verify(statement.device_seed, held.result_root, held.opening, indices)
            problem = None if verdict.valid else verdict.reason
        _verdict(problem is None, problem or "", about, output)
    if problem is not None:
        raise typer.Exit(1)


@commands.command()
def fraud(
    openings: Annotated[Path, typer.Option("--openings", help="file that `assay proof open` wrote")],
    rho: Rho,
    samples: Samples = None,
    signature: Annotated[
        str | None, typer.Option("--signature", help="the device's compact signature of its Commitment")
    ] = None,
    reporter: Annotated[
        str | None, typer.Option("--reporter", help="account that submits the proof and gets the bounty")
    ] = None,
    salt: Annotated[str | None, typer.Option("--salt", help="32 secret bytes [default: drawn]")] = None,
    gas_price: Annotated[float, typer.Option("--gas-price", min=0, help="gwei, for the cost")] = 1.0,
    threads: Threads = None,
    output: Output = OutputFormat.table,
) -> None:
    """Find a wrong element in openings and build the fraud proof. Exits with 0 only if there is one."""
    with _clear_errors():
        drawn = types.Rho(parse_bytes32(rho, "--rho"))
        from assay.proof import openings_file, sampling
        from assay.proof.fraud import find_wrong_element
        from assay.proof.verification import OpeningFault, Verifier

        held = openings_file.load(openings)
        statement = held.statement
        count = _samples(samples, statement.profile.k)
        indices = sampling.samples(drawn, statement.device_id, statement.profile, count)
        verifier = Verifier(statement.profile, statement.epoch_seed, drawn, threads)
        verdict = verifier.verify(statement.device_seed, held.result_root, held.opening, indices)
        found = None
        if verdict.fault is OpeningFault.PRODUCT:
            found = find_wrong_element(
                statement.profile,
                statement.epoch_seed,
                statement.device_seed,
                held.opening,
                indices,
                verdict.row,
            )
        if found is None:
            reason = verdict.reason or "every opened row is right"
            show({"found": False, "reason": f"nothing that a contract would slash for: {reason}"}, output)
        else:
            call = _fraud_call(held, found, signature, reporter, salt, gas_price)
            show({"found": True, **_element(found), **call}, output)
    if found is None:
        raise typer.Exit(1)


def _element(found: Any) -> dict[str, Any]:
    return {
        "round": found.round.t,
        "row": found.i,
        "column": found.j,
        "claimed": found.claimed,
        "correct": found.correct,
    }


def _fraud_call(
    held: Any, found: Any, signature: str | None, reporter: str | None, salt: str | None, gas_price: float
) -> dict[str, Any]:
    import secrets

    from assay.proof.fraud_calldata import wrong_element_call
    from assay.protocol.hexadecimal import parse_address, parse_signature
    from assay.protocol.messages import Commitment

    statement = held.statement
    commitment = Commitment(
        statement.epoch,
        statement.profile.job_hash(statement.epoch_seed),
        statement.device_id,
        statement.nonce_root,
        held.result_root,
    )
    complete = signature is not None and reporter is not None
    drawn = parse_bytes32(salt, "--salt") if salt is not None else secrets.token_bytes(32)
    call = wrong_element_call(
        commitment,
        parse_signature(signature, "--signature") if signature is not None else b"\xff" * 64,
        found,
        parse_address(reporter, "--reporter") if reporter is not None else "0x" + "ff" * 20,
        drawn,
    )
    gas = call.gas(statement.profile.K)
    values: dict[str, Any] = {"gasEstimate": gas, "costEther": gas * gas_price / 1e9}
    if not complete:
        return {**values, "calldata": "give --signature and --reporter for the calldata"}
    return {
        **values,
        "salt": to_hex(drawn),
        "commitCalldata": to_hex(call.commit),
        "proveCalldata": to_hex(call.prove),
        "order": "send commitCalldata to FraudProofs, and proveCalldata two or more blocks later",
    }


def _verdict(valid: bool, reason: str, about: dict[str, Any], output: OutputFormat) -> None:
    show({"valid": valid, "reason": reason, **about}, output)


def _samples(given: int | None, default: int) -> int:
    from assay.proof.openings import MAX_ROWS

    count = default if given is None else given
    if not 1 <= count <= MAX_ROWS:
        raise ValueError(f"--samples {count}: must be from 1 to {MAX_ROWS}")
    return count
