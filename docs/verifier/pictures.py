"""The pictures of a derivative, decoded by ffmpeg, and how they compare with those that were signed."""

import re
import shutil
import subprocess
from fractions import Fraction

from results import FAILED, NOT_DONE, PASSED

MAX_PIXELS = 8192 * 4608
MAX_SECONDS = 3600


class Decoded:
    """What ffmpeg made of a file: size of the picture, time base, and time stamp and digest of each frame."""

    def __init__(self, text):
        self.size = self.time_base = None
        self.pts, self.digests = [], []
        for line in text.splitlines():
            if line.startswith("#tb 0:"):
                self.time_base = parse_time_base(line.split(":")[1].strip())
            elif line.startswith("#dimensions 0:"):
                self.size = tuple(int(part) for part in line.split(":")[1].strip().split("x"))
            elif line and not line.startswith("#"):
                columns = line.split(",")
                self.pts.append(int(columns[2]))
                self.digests.append(columns[5].strip())


def parse_time_base(text):
    numerator, denominator = text.split("/")
    return Fraction(int(numerator), int(denominator))


def find_ffmpeg():
    """The path of an ffmpeg 5.1 or later, None where there is none."""
    path = shutil.which("ffmpeg")
    if not path:
        return None
    answer = subprocess.run([path, "-version"], capture_output=True, text=True, errors="replace", check=False)
    version = re.match(r"ffmpeg version n?(\d+)\.(\d+)", answer.stdout)
    if answer.returncode or (version and (int(version[1]), int(version[2])) < (5, 1)):
        return None
    return path


def decode(ffmpeg, path):
    """What ffmpeg makes of a file; None where that takes longer than MAX_SECONDS."""
    command = [
        ffmpeg, "-nostdin", "-v", "quiet", "-protocol_whitelist", "file,pipe", "-max_pixels", str(MAX_PIXELS), "-noautorotate",
        "-i", f"file:{path.absolute()}", "-map", "0:v:0", "-fps_mode", "passthrough",
        "-c:v", "rawvideo", "-f", "framehash", "-hash", "sha256", "-",
    ]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=MAX_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    return Decoded(answer.stdout)


def compare_frames(decoded, frames):
    """How decoded pictures differ from the signed ones: undecodable, same, times, altered, missing, added or slow."""
    if decoded is None:
        return "slow"
    if not decoded.digests:
        return "undecodable"
    wanted = frames["digests"]
    common = min(len(wanted), len(decoded.digests))
    if decoded.size != (frames["width"], frames["height"]) or decoded.digests[:common] != wanted[:common]:
        return "altered"
    if len(decoded.digests) < len(wanted):
        return "missing"
    if len(decoded.digests) > len(wanted):
        return "added"
    return "same" if same_times(decoded, frames) else "times"


def same_times(decoded, frames):
    base = parse_time_base(frames["time_base"])
    tolerance = 0 if decoded.time_base == base else max(base, decoded.time_base)
    return all(
        abs((mine - decoded.pts[0]) * decoded.time_base - (signed - frames["pts"][0]) * base) <= tolerance
        for mine, signed in zip(decoded.pts, frames["pts"])
    )


DIFFERENT_BYTES = {
    "undecodable": (FAILED, "derivative_undecodable", FAILED, "frames_undecodable"),
    "same": (FAILED, "derivative_rewrapped", PASSED, "frames_same"),
    "times": (FAILED, "derivative_rewrapped_times", FAILED, "frames_times"),
    "altered": (FAILED, "derivative_altered", FAILED, "frames_altered"),
    "missing": (FAILED, "derivative_altered", FAILED, "frames_missing"),
    "added": (FAILED, "derivative_altered", FAILED, "frames_added"),
    "slow": (FAILED, "derivative_changed", NOT_DONE, "decoder_slow"),
    None: (FAILED, "derivative_changed", NOT_DONE, "no_decoder"),
}
SAME_BYTES = {
    "undecodable": (FAILED, "frames_undecodable"),
    "same": (PASSED, "frames_same"),
    "slow": (NOT_DONE, "decoder_slow"),
    None: (NOT_DONE, "no_decoder"),
}
