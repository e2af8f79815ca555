# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Windows for windows_host where there is none: the registry, the firewall's cmdlets, netsh, reg, CIM and files of one
# simulated PC, whose state is a JSON file (ETS6_LAB_PC). Dot-sourced before the code under test is parsed. Shares nothing
# with the collection. Where behaviour is published, the source stands beside it.

using namespace System.Text.Json.Nodes

class LabPC {
    static [JsonObject]$State
    static [string]$File

    static [void] Load([string]$file) {
        $options = [JsonNodeOptions]::new()
        $options.PropertyNameCaseInsensitive = $true
        [LabPC]::File = $file
        [LabPC]::State = [JsonNode]::Parse([System.IO.File]::ReadAllText($file), $options)
    }

    static [void] Save() {
        [System.IO.File]::WriteAllText([LabPC]::File + '.new', [LabPC]::State.ToJsonString())
        [System.IO.File]::Move([LabPC]::File + '.new', [LabPC]::File, $true)
    }

    static [string] Fault([string]$what) {
        $found = [LabPC]::State['faults'][$what]
        if ($null -eq $found) { return '' }
        return $found.ToString()
    }
}

# Microsoft.Win32.RegistryKey (Microsoft Learn): OpenSubKey gives null where a key is missing and throws SecurityException
# where it is denied; numbers are signed.
class LabRegistryKey {
    [string]$Path
    [int]$ValueCount
    [int]$SubKeyCount
    hidden [bool]$Writable

    LabRegistryKey([string]$path, [bool]$writable) {
        $this.Path = $path
        $this.Writable = $writable
        $this.Count()
    }

    hidden [void] Count() {
        if ($this.Path -in 'HKLM', 'HKU') { return }
        $this.ValueCount = $this.Values().Count
        $this.SubKeyCount = $this.GetSubKeyNames().Count
    }

    hidden [JsonObject] Values() { return [LabPC]::State['registry'][$this.Path]['values'] }

    hidden [void] NeedWrite() {
        if (-not $this.Writable) { throw [System.UnauthorizedAccessException]::new('Cannot write to the registry key.') }
    }

    static [LabRegistryKey] OpenBaseKey([Microsoft.Win32.RegistryHive]$hive, [Microsoft.Win32.RegistryView]$view) {
        if ($hive -eq 'Users') { return [LabRegistryKey]::new('HKU', $true) }
        return [LabRegistryKey]::new('HKLM', $true)
    }

    [LabRegistryKey] OpenSubKey([string]$name, [bool]$writable) {
        $full = $this.Path + '\' + $name
        $known = [LabPC]::State['registry'][$full]
        if ($null -eq $known) {
            $prefix = $full + '\'
            foreach ($entry in [LabPC]::State['registry']) {
                if ($entry.Key.StartsWith($prefix, 'OrdinalIgnoreCase')) {
                    # A key that only stands above others.
                    [LabPC]::State['registry'][$full] = [JsonNode]::Parse('{"values":{}}', [LabPC]::State.Options)
                    return [LabRegistryKey]::new($full, $writable)
                }
            }
            return $null
        }
        if ($null -ne $known['denied'] -and $known['denied'].GetValue[bool]()) {
            throw [System.Security.SecurityException]::new('Requested registry access is not allowed.')
        }
        return [LabRegistryKey]::new($full, $writable)
    }

    [LabRegistryKey] CreateSubKey([string]$name) {
        $full = $this.Path + '\' + $name
        if ($null -eq [LabPC]::State['registry'][$full]) {
            [LabPC]::State['registry'][$full] = [JsonNode]::Parse('{"values":{}}', [LabPC]::State.Options)
            [LabPC]::Save()
        }
        return $this.OpenSubKey($name, $true)
    }

    [string[]] GetValueNames() { return @(foreach ($entry in $this.Values()) { $entry.Key }) }

    [string[]] GetSubKeyNames() {
        $prefix = $this.Path + '\'
        $names = [System.Collections.Generic.List[string]]::new()
        foreach ($entry in [LabPC]::State['registry']) {
            if ($entry.Key.StartsWith($prefix, 'OrdinalIgnoreCase')) {
                $name = $entry.Key.Substring($prefix.Length).Split('\')[0]
                if (-not $names.Contains($name)) { $names.Add($name) }
            }
        }
        return $names.ToArray()
    }

    [Microsoft.Win32.RegistryValueKind] GetValueKind([string]$name) {
        $kinds = @{ REG_SZ = 'String'; REG_EXPAND_SZ = 'ExpandString'; REG_BINARY = 'Binary'; REG_DWORD = 'DWord'; REG_QWORD = 'QWord'; REG_MULTI_SZ = 'MultiString'; REG_NONE = 'None' }
        return [Microsoft.Win32.RegistryValueKind]$kinds[$this.Values()[$name][0].ToString()]
    }

    [object] GetValue([string]$name) { return $this.GetValue($name, $null, 'DoNotExpandEnvironmentNames') }

    [object] GetValue([string]$name, [object]$default, [Microsoft.Win32.RegistryValueOptions]$options) {
        $value = $this.Values()[$name]
        if ($null -eq $value) { return $default }
        $data = $value[1]
        $result = switch ($value[0].ToString()) {
            'REG_DWORD' { [BitConverter]::ToInt32([BitConverter]::GetBytes($data.GetValue[uint32]()), 0) }
            'REG_QWORD' { [BitConverter]::ToInt64([BitConverter]::GetBytes($data.GetValue[uint64]()), 0) }
            'REG_MULTI_SZ' { , [string[]]@(foreach ($item in $data) { $item.ToString() }) }
            { $_ -in 'REG_SZ', 'REG_EXPAND_SZ' } { $data.ToString() }
            default { , [Convert]::FromBase64String($data.ToString()) }
        }
        return $result
    }

    [void] SetValue([string]$name, [object]$data, [Microsoft.Win32.RegistryValueKind]$kind) {
        $this.NeedWrite()
        $fault = [LabPC]::Fault("set_registry_value:$name")
        if ($fault) { throw [System.IO.IOException]::new($fault) }
        $wire = switch ($kind.ToString()) {
            'DWord' { '["REG_DWORD",' + [BitConverter]::ToUInt32([BitConverter]::GetBytes([int]$data), 0) + ']' }
            'QWord' { '["REG_QWORD",' + [BitConverter]::ToUInt64([BitConverter]::GetBytes([long]$data), 0) + ']' }
            'String' { '["REG_SZ",' + [System.Text.Json.JsonSerializer]::Serialize([string]$data, [string], [System.Text.Json.JsonSerializerOptions]$null) + ']' }
            'ExpandString' { '["REG_EXPAND_SZ",' + [System.Text.Json.JsonSerializer]::Serialize([string]$data, [string], [System.Text.Json.JsonSerializerOptions]$null) + ']' }
            'MultiString' { '["REG_MULTI_SZ",' + [System.Text.Json.JsonSerializer]::Serialize([string[]]$data, [string[]], [System.Text.Json.JsonSerializerOptions]$null) + ']' }
            default { '["REG_' + $kind.ToString().ToUpperInvariant() + '","' + [Convert]::ToBase64String([byte[]]$data) + '"]' }
        }
        $this.Values()[$name] = [JsonNode]::Parse($wire)
        $this.Count()
        [LabPC]::Save()
    }

    [void] DeleteValue([string]$name, [bool]$mustExist) {
        $this.NeedWrite()
        $null = $this.Values().Remove($name)
        $this.Count()
        [LabPC]::Save()
    }

    [void] DeleteSubKey([string]$name, [bool]$mustExist) {
        $null = [LabPC]::State['registry'].Remove($this.Path + '\' + $name)
        [LabPC]::Save()
    }

    [void] Dispose() { }
}

[LabPC]::Load($env:ETS6_LAB_PC)
[psobject].Assembly.GetType('System.Management.Automation.TypeAccelerators')::Add('Microsoft.Win32.RegistryKey', [LabRegistryKey])

$global:LabRules = 'HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules'

# windows-powershell-docs, NetSecurity; error ids as administrators pasted them. An error of these cmdlets is a CimJobException
# whose text is localized and whose id is not.
function global:Write-LabCimError {
    param ($Cmdlet, [string]$Id, [string]$Text, [string]$Category, $Target)

    $Cmdlet.WriteError([System.Management.Automation.ErrorRecord]::new([Exception]::new($Text), $Id, $Category, $Target))
}

function global:Find-LabRule {
    param ([string]$Name)

    # The pattern is a wildcard, compared without letter case.
    $pattern = [WildcardPattern]::new($Name, 'IgnoreCase')
    @(foreach ($entry in [LabPC]::State['registry'][$global:LabRules]['values']) { if ($pattern.IsMatch($entry.Key)) { $entry.Key } })
}

function global:Get-NetFirewallRule {
    [CmdletBinding()]
    param ([string[]]$Name)

    foreach ($one in $Name) {
        $found = Find-LabRule $one
        # A name without wildcards that is not found is an error; a wildcard without a match is none.
        if (-not $found -and -not [WildcardPattern]::ContainsWildcardCharacters($one)) {
            Write-LabCimError $PSCmdlet 'CmdletizationQuery_NotFound_InstanceID' "Keine MSFT_NetFirewallRule-Objekte gefunden: '$one'." ObjectNotFound $one
        }
        foreach ($id in $found) { [pscustomobject]@{ Name = $id; InstanceID = $id } }
    }
}

function global:New-NetFirewallRule {
    [CmdletBinding()]
    param (
        [Parameter(Mandatory)][string]$DisplayName, [string]$Name, [string]$Description, [string]$Group, [string]$Program,
        [ValidateSet('True', 'False')][string]$Enabled = 'True', [string]$Profile = 'Any',
        [ValidateSet('Inbound', 'Outbound')][string]$Direction = 'Inbound', [ValidateSet('Allow', 'Block')][string]$Action = 'Allow',
        [string]$Protocol = 'Any', [string[]]$RemoteAddress
    )

    $fault = [LabPC]::Fault("new_firewall_rule:$Name")
    if ($fault) { return Write-LabCimError $PSCmdlet $fault 'Zugriff verweigert' PermissionDenied $null }
    if ($null -ne [LabPC]::State['registry'][$global:LabRules]['values'][$Name]) {
        return Write-LabCimError $PSCmdlet 'Windows System Error 183' 'Eine Datei kann nicht erstellt werden, wenn sie bereits vorhanden ist.' ResourceExists $null
    }
    $version = [LabPC]::State['registry'][$global:LabRules.Substring(0, $global:LabRules.LastIndexOf('\'))]['values']['PolicyVersion'][1].GetValue[uint32]() -band 0xFF
    $numbers = @{ TCP = 6; UDP = 17 }
    # What is not given is absent, and the order of the tokens is MS-GPFAS 2.2.2's.
    $text = "v2.$version|Action=$Action|Active=$($Enabled.ToUpperInvariant())|Dir=$(@{ Inbound = 'In'; Outbound = 'Out' }[$Direction])"
    if ($Protocol -ne 'Any') { $text += "|Protocol=$($numbers[$Protocol])" }
    if ($Profile -ne 'Any') {
        # The enum's numbers are flags, so Windows writes them in this order.
        foreach ($one in 'Domain', 'Private', 'Public') { if (($Profile -split ',\s*') -contains $one) { $text += "|Profile=$one" } }
    }
    foreach ($address in $RemoteAddress) { if ($address -notmatch ':') { $text += "|RA4=$address" } }
    foreach ($address in $RemoteAddress) { if ($address -match ':' -or $address -match '^[A-Za-z]+$') { $text += "|RA6=$address" } }
    if ($Program) { $text += "|App=$Program" }
    $text += "|Name=$DisplayName"
    if ($Description) { $text += "|Desc=$Description" }
    if ($Group) { $text += "|EmbedCtxt=$Group" }
    [LabRegistryKey]::new($global:LabRules, $true).SetValue($Name, "$text|", 'String')
    [pscustomobject]@{ Name = $Name; InstanceID = $Name; PrimaryStatus = 'OK' }
}

function global:Rename-NetFirewallRule {
    [CmdletBinding()]
    param ([string]$Name, [string]$NewName)

    $found = @(Get-NetFirewallRule -Name $Name)
    $key = [LabRegistryKey]::new($global:LabRules, $true)
    foreach ($rule in $found) {
        $data = $key.GetValue($rule.Name)
        $key.DeleteValue($rule.Name, $true)
        $key.SetValue($NewName, $data, 'String')
    }
}

function global:Remove-NetFirewallRule {
    [CmdletBinding()]
    param ([string[]]$Name)

    $fault = [LabPC]::Fault("remove_firewall_rule:$Name")
    if ($fault) { return Write-LabCimError $PSCmdlet $fault 'Zugriff verweigert' PermissionDenied $null }
    # Without a selector every local rule goes.
    $found = if ($Name) { @(Get-NetFirewallRule -Name $Name) } else { @(Get-NetFirewallRule -Name '*') }
    foreach ($rule in $found) { [LabRegistryKey]::new($global:LabRules, $true).DeleteValue($rule.Name, $true) }
}

# netsh winhttp (Microsoft Learn): writes the key of 64-bit and of 32-bit programs.
function global:netsh.exe {
    $fault = [LabPC]::Fault('netsh')
    $global:LASTEXITCODE = 0
    if ($fault) {
        $global:LASTEXITCODE = 1
        return 'Fehler beim Schreiben der Proxyeinstellungen. (5) Zugriff verweigert'
    }
    $server = ''
    $bypass = ''
    foreach ($word in $args) {
        if ($word -like 'proxy-server=*') { $server = $word.Substring(13) }
        if ($word -like 'bypass-list=*') { $bypass = $word.Substring(12) }
    }
    $blob = [System.IO.MemoryStream]::new()
    $writer = [System.IO.BinaryWriter]::new($blob)
    $flags = if ($server) { 3 } else { 1 }
    foreach ($number in 0x18, 0, $flags) { $writer.Write([uint32]$number) }
    foreach ($text in $server, $bypass) {
        $writer.Write([uint32]$text.Length)
        $writer.Write([System.Text.Encoding]::ASCII.GetBytes($text))
    }
    foreach ($view in 'SOFTWARE', 'SOFTWARE\WOW6432Node') {
        $base = [LabRegistryKey]::OpenBaseKey('LocalMachine', 'Registry64')
        $base.CreateSubKey("$view\Microsoft\Windows\CurrentVersion\Internet Settings\Connections").SetValue('WinHttpSettings', $blob.ToArray(), 'Binary')
    }
}

# reg load and unload (Microsoft Learn): a hive file becomes a key below HKEY_USERS and goes again.
function global:reg.exe {
    $verb, $key, $file = $args
    $registry = [LabPC]::State['registry']
    $from, $to = if ($verb -eq 'load') { "FILE\$file", $key } else { $key, $null }
    if ($verb -eq 'unload') { $to = [LabPC]::State['mounts'][$key].ToString() }
    $names = @(foreach ($entry in $registry) { if ($entry.Key -eq $from -or $entry.Key.StartsWith("$from\", 'OrdinalIgnoreCase')) { $entry.Key } })
    $global:LASTEXITCODE = [int](-not $names)
    if (-not $names) { return 'FEHLER: Das System kann die angegebene Datei nicht finden.' }
    foreach ($name in $names) {
        $node = $registry[$name]
        $null = $registry.Remove($name)
        $registry[$to + $name.Substring($from.Length)] = $node
    }
    if ($null -eq [LabPC]::State['mounts']) { [LabPC]::State['mounts'] = [JsonObject]::new([System.Nullable[JsonNodeOptions]][LabPC]::State.Options) }
    if ($verb -eq 'load') { [LabPC]::State['mounts'][$key] = $from } else { $null = [LabPC]::State['mounts'].Remove($key) }
    [LabPC]::Save()
}

function global:Get-CimInstance {
    [CmdletBinding()]
    param ([string]$Namespace, [string]$ClassName, [string]$Filter)

    switch ($ClassName) {
        'Win32_Process' { foreach ($user in [LabPC]::State['users']) { if ($user['logged_on'].GetValue[bool]()) { [pscustomobject]@{ Owner = $user['sid'].ToString() } } } }
        'Win32_LogicalDisk' { foreach ($drive in [LabPC]::State['drives']) { [pscustomobject]@{ DeviceID = $drive.ToString() } } }
        'FirewallProduct' {
            # Windows Server has no Security Center: "Invalid namespace".
            if ($null -eq [LabPC]::State['firewall_products']) {
                return Write-LabCimError $PSCmdlet 'HRESULT 0x8004100e' 'Ungültiger Namespace' InvalidArgument $null
            }
            foreach ($product in [LabPC]::State['firewall_products']) {
                [pscustomobject]@{ displayName = $product['name'].ToString(); productState = $product['product_state'].GetValue[uint32]() }
            }
        }
    }
}

function global:Invoke-CimMethod {
    [CmdletBinding()]
    param ($InputObject, [string]$MethodName)

    [pscustomobject]@{ Sid = $InputObject.Owner; ReturnValue = 0 }
}

function global:Get-Service {
    [CmdletBinding()]
    param ([string[]]$Name)

    foreach ($one in $Name) {
        $state = [LabPC]::State['services'][$one]
        if ($null -ne $state) { [pscustomobject]@{ Name = $one; Status = $state.ToString() } }
    }
}

# INetFwPolicy2.CurrentProfileTypes (Microsoft Learn): 1 domain, 2 private, 4 public.
function global:New-Object {
    [CmdletBinding()]
    param ([Parameter(Position = 0)][string]$TypeName, [object[]]$ArgumentList, [string]$ComObject, [System.Collections.IDictionary]$Property)

    if ($ComObject -eq 'HNetCfg.FwPolicy2') {
        if ($null -eq [LabPC]::State['network']) { throw 'Der Remoteprozeduraufruf ist fehlgeschlagen.' }
        $types = 0
        foreach ($name in [LabPC]::State['network']) { $types += @{ domain = 1; private = 2; public = 4 }[$name.ToString()] }
        return [pscustomobject]@{ CurrentProfileTypes = $types }
    }
    Microsoft.PowerShell.Utility\New-Object @PSBoundParameters
}

function global:Get-Item {
    [CmdletBinding()]
    param ([string]$LiteralPath, [switch]$Force)

    if ($LiteralPath -notmatch '^[A-Za-z]:\\') { return Microsoft.PowerShell.Management\Get-Item @PSBoundParameters }
    $file = [LabPC]::State['files'][$LiteralPath]
    if ($null -eq $file) { throw [System.Management.Automation.ItemNotFoundException]::new("Der Pfad `"$LiteralPath`" kann nicht gefunden werden.") }
    if ($null -ne $file['denied']) { throw [System.UnauthorizedAccessException]::new("Der Zugriff auf den Pfad `"$LiteralPath`" wurde verweigert.") }
    $major, $minor, $build, $private = $file['version'].ToString() -split '\.'
    [pscustomobject]@{
        Length = $file['size'].GetValue[long]()
        VersionInfo = [pscustomobject]@{ FileMajorPart = $major; FileMinorPart = $minor; FileBuildPart = $build; FilePrivatePart = $private }
    }
}
