"""The most that is taken of anything that comes from outside: entries of lists, and bytes of bodies."""

from __future__ import annotations

# Entries.
MAX_LEAVES = 100_000  # in one content or message: as many devices as a seal is proposed for
MAX_ROWS = 8_192  # that one request asks of a device
MAX_STATEMENTS = 16_384  # that an index lists, and so of batches
MAX_LISTED_LINES = 1_000  # lines with proofs in one index; beyond that they are asked for one by one
MAX_PROOF_NODES = 64
MAX_ARGUMENTS = 256  # of a job
MAX_FILES = 256
MAX_VARIABLES = 256
MAX_TEXT = 65_536  # characters of an argument or a variable
MAX_OFFERS = 4_096  # that one provider serves

# Bytes. All leaves of any kind that a content may hold fit in MAX_CONTENT_BYTES.
MAX_CONTENT_BYTES = 64 << 20
MAX_INDEX_BYTES = 64 << 20  # it lists a commitment and an opening for each device
MAX_MESSAGE_BYTES = 64 << 20  # between validators: lists of devices are long,
MAX_SHORT_MESSAGE_BYTES = 16 << 10  # an instant is not
MAX_COMMITMENT_BYTES = 64 << 10  # and as much of an answer to the memory probe
MAX_LIVE_BYTES = 4 << 10
MAX_OFFERS_BYTES = 8 << 20
MAX_UPLOAD_BYTES = 64 << 20  # to a lease
MAX_REQUEST_BYTES = 64 << 10  # to a provider, of all other requests
MAX_SIGNATURE_BYTES = 4_096  # of what a contract takes for a signature

# Files of a lease.
MAX_PIECE_BYTES = 8 << 20  # of a file that is sent piece by piece
MAX_BUNDLE_BYTES = 16 << 20
MAX_BUNDLE_ENTRIES = 4_096
SMALL_FILE_BYTES = 1 << 20  # files of at most this travel in bundles
MAX_FILE_PATH_TEXT = 4_096
