# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Windows Defender Firewall: its stores, its verdict on ETS6's traffic, and the controls over both."""
