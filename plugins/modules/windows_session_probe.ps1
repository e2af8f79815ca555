#!powershell

# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

#AnsibleRequires -PowerShell ..module_utils._ETS6Session

try { $reply = Invoke-ETS6SessionRequest $complex_args }
catch { $reply = @{ failed = $true; msg = $_.Exception.Message } }
ConvertTo-Json -InputObject $reply -Compress
