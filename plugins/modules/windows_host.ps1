#!powershell

# Copyright: (c) 2026, ets6.network contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

#AnsibleRequires -PowerShell ..module_utils._ETS6Host

$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2.0

$mode = $ExecutionContext.SessionState.LanguageMode
if ($mode -ne 'FullLanguage') {
    # AppLocker or Windows Defender Application Control: nothing below would work, and half an answer would mislead.
    '{"failed":true,"msg":"PowerShell runs in ' + $mode + ' mode on this PC, so it cannot be read. Have AppLocker or WDAC trust the remote management account, or run there without it."}'
    return
}

ConvertTo-AnsibleETS6Json -InputObject (Invoke-AnsibleETS6Request -Argument $complex_args)
