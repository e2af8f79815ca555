# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# ConvertFrom-Json has -DateKind since PowerShell 7.5 (Microsoft Learn). Ansible's wrapper uses it in PowerShell 7 since ansible-core
# 2.21. This adds it to an engine that lacks it, for the kind String, the only one that the wrapper uses. Functions belong to a
# runspace: dot-source this file in each.

using namespace System.Text.Json.Nodes

if ($IsCoreCLR -and -not (Get-Command -Name ConvertFrom-Json -CommandType Cmdlet).Parameters.ContainsKey('DateKind')) {
    Function ConvertFrom-LabJsonNode {
        param ([JsonNode]$Node)

        if ($Node -is [JsonObject]) {
            $members = [ordered]@{}
            foreach ($member in $Node) { $members[$member.Key] = ConvertFrom-LabJsonNode $member.Value }
            return [pscustomobject]$members
        }
        if ($Node -is [JsonArray]) { return , @(foreach ($item in $Node) { ConvertFrom-LabJsonNode $item }) }
        if ($null -eq $Node) { return $null }
        if ($Node.GetValueKind() -eq 'String') { return $Node.GetValue[string]() }
        return Microsoft.PowerShell.Utility\ConvertFrom-Json -InputObject $Node.ToJsonString()
    }

    Function ConvertFrom-Json {
        param ([Parameter(Mandatory, ValueFromPipeline)][string]$InputObject, [ValidateSet('String')][string]$DateKind)

        begin { $lines = [System.Collections.Generic.List[string]]::new() }
        process { $lines.Add($InputObject) }
        end {
            $text = $lines -join "`n"
            if ($DateKind) { ConvertFrom-LabJsonNode ([JsonNode]::Parse($text)) }
            else { Microsoft.PowerShell.Utility\ConvertFrom-Json -InputObject $text }
        }
    }
}
