# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Asks windows_host's Resolve-ETS6Proxy for the proxies of each case, without Ansible around it. The file named holds
# {"cases": [{"url": ..., "snapshot": {"registry": ..., "users": ...}}]}; the output is a list of lists in JSON.

param ([string]$Source, [string]$File)

$ErrorActionPreference = 'Stop'

Function ConvertTo-TestMap($Node) {
    if ($Node -is [Management.Automation.PSCustomObject]) {
        $map = @{}
        foreach ($member in $Node.PSObject.Properties) { $map[$member.Name] = ConvertTo-TestMap $member.Value }
        return $map
    }
    if ($Node -is [array]) { return , @(foreach ($item in $Node) { ConvertTo-TestMap $item }) }
    $Node
}

# As Ansible loads it.
$module = New-Module -ScriptBlock ([scriptblock]::Create([IO.File]::ReadAllText($Source)))
$lists = foreach ($case in (ConvertFrom-Json ([IO.File]::ReadAllText($File))).cases) {
    $probes = & $module { param ($Url, $Snapshot) Resolve-ETS6Proxy @(@{ name = 'x'; url = $Url }) $Snapshot } $case.url (ConvertTo-TestMap $case.snapshot)
    '[' + (@(foreach ($proxy in $probes[0].proxies) { "`"$proxy`"" }) -join ',') + ']'
}
'[' + ($lists -join ',') + ']'
