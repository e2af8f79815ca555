# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Windows without Windows: simulated PCs behind a real WinRM endpoint, and the network around them, all on loopback.

The lab shares no code with the collection but the prober that a model PC runs: its registry, rules and blobs are written
here, so that it is no judge in its own case.
"""
