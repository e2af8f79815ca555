# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# Windows types for tests on a machine without Windows, over the state of one simulated PC, a JSON file (ETS6_LAB_PC). The commands
# are in Modules/LabWindows. This file is dot-sourced before the code under test is parsed. It shares nothing with the collection.
# Each stand-in names the source of its behaviour; README.md in the folder above describes the state and how to add a stand-in.

using namespace System.Text.Json.Nodes
using namespace System.Management.Automation.Language

# Ansible runs a module in another runspace: a class with runspace affinity would wait there for the runspace that defined it.
[NoRunspaceAffinity()]
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

    static [JsonNode] Node([string]$json) { return [JsonNode]::Parse($json, [LabPC]::State.Options) }

    static [string] Quoted([string]$text) { return [System.Text.Json.Nodes.JsonValue]::Create($text).ToJsonString() }

    static [JsonObject] Key([string]$path) {
        $known = [LabPC]::State['registry'][$path]
        if ($null -eq $known) {
            foreach ($entry in [LabPC]::State['registry']) {
                if ($entry.Key.StartsWith("$path\", 'OrdinalIgnoreCase')) {
                    # A key without values that is the parent of others.
                    $known = [LabPC]::Node('{"values":{}}')
                    [LabPC]::State['registry'][$path] = $known
                    break
                }
            }
        }
        return $known
    }

    # Notes what was done, in a test that asks for the order.
    static [void] Log([string[]]$words) {
        if ($null -eq [LabPC]::State['log']) { return }
        [LabPC]::State['log'].Add([JsonNode]::Parse([LabPC]::Quoted($words -join ' ')))
    }

    static [string] Fault([string]$what) {
        $found = [LabPC]::State['faults'][$what]
        if ($null -eq $found) { return '' }
        return $found.ToString()
    }
}

# Microsoft.Win32.RegistryKey (Microsoft Learn): OpenSubKey returns null for a missing key and throws SecurityException if access is
# denied. Names are compared without letter case. Numbers are signed.
[NoRunspaceAffinity()]
class LabRegistryKey {
    [string]$Path
    [int]$ValueCount
    [int]$SubKeyCount
    hidden [bool]$Writable
    hidden [string]$Rights

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

    hidden [JsonObject] Values() {
        # HKLM and HKU themselves hold no values.
        if ($this.Path -in 'HKLM', 'HKU') { return [LabPC]::Node('{}') }
        return [LabPC]::State['registry'][$this.Path]['values']
    }

    hidden [void] Changed() {
        $this.Count()
        [LabPC]::Save()
    }

    hidden [void] NeedWrite() {
        if (-not $this.Writable) { throw [System.UnauthorizedAccessException]::new('Cannot write to the registry key.') }
    }

    static [LabRegistryKey] OpenBaseKey([Microsoft.Win32.RegistryHive]$hive, [Microsoft.Win32.RegistryView]$view) {
        if ($view -ne 'Registry64') { throw "$view is not simulated" }
        # The module opens a base key before anything else. Commands that this engine has too, such as Get-Item, do not load on demand.
        if (-not (Get-Module LabWindows)) { Import-Module LabWindows -Global }
        if ($hive -eq 'Users') { return [LabRegistryKey]::new('HKU', $true) }
        return [LabRegistryKey]::new('HKLM', $true)
    }

    [LabRegistryKey] OpenSubKey([string]$name, [bool]$writable) {
        $full = $this.Path + '\' + $name
        $known = [LabPC]::Key($full)
        if ($null -eq $known -or [string]$known['gone'] -eq 'true') { return $null }
        $denied = [string]$known['denied']
        if ($denied -eq 'true' -or ($writable -and $denied -eq 'write')) {
            throw [System.Security.SecurityException]::new('Requested registry access is not allowed.')
        }
        return [LabRegistryKey]::new($full, $writable)
    }

    [LabRegistryKey] OpenSubKey([string]$name, [string]$check, [string]$rights) {
        if ($check -ne 'ReadWriteSubTree') { throw "$check is not simulated" }
        $key = $this.OpenSubKey($name, $true)
        if ($key) { $key.Rights = $rights }
        return $key
    }

    # A new key inherits the access rights of the one above it (Microsoft Learn, Registry Key Security and Access Rights). "access" is a
    # key's security descriptor, where it has another one than its hive.
    [LabRegistryKey] CreateSubKey([string]$name) {
        $full = $this.Path
        foreach ($part in $name.Split('\')) {
            $above = [LabPC]::Key($full)
            $full += '\' + $part
            if ($null -ne [LabPC]::Key($full)) { continue }
            # CreateSubKey (Microsoft Learn): the user has no right to create keys there.
            if ($null -ne $above -and $null -ne $above['denied']) { throw [System.UnauthorizedAccessException]::new("Zugriff verweigert: $full") }
            [LabPC]::State['registry'][$full] = [LabPC]::Node('{"values":{}}')
            if ($null -ne $above -and $null -ne $above['access']) { [LabPC]::State['registry'][$full]['access'] = $above['access'].DeepClone() }
            [LabPC]::Log(('create', $full))
        }
        return $this.OpenSubKey($name, $true)
    }

    # A handle without the right to change permissions is refused. The security object is written once after each change of it (.NET
    # reference source, RegistrySecurity.Persist).
    [void] SetAccessControl([object]$security) {
        $fault = [LabPC]::Fault('set_access')
        if ($fault -or $this.Rights -ne 'ChangePermissions') { throw [System.UnauthorizedAccessException]::new("$fault") }
        if (-not $security.Modified) { return }
        $security.Modified = $false
        [LabPC]::State['registry'][$this.Path]['access'] = [JsonNode]::Parse([LabPC]::Quoted($security.Sddl))
        [LabPC]::Log(('access', $this.Path))
        $this.Changed()
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

    # RegistryValueKind (Microsoft Learn): other types, such as REG_LINK, are Unknown.
    static [hashtable]$Kinds = @{
        REG_SZ = 'String'; REG_EXPAND_SZ = 'ExpandString'; REG_BINARY = 'Binary'; REG_DWORD = 'DWord'; REG_QWORD = 'QWord'
        REG_MULTI_SZ = 'MultiString'; REG_NONE = 'None'
    }

    [Microsoft.Win32.RegistryValueKind] GetValueKind([string]$name) {
        $kind = [LabRegistryKey]::Kinds[$this.Values()[$name][0].ToString()]
        if (-not $kind) { $kind = 'Unknown' }
        return $kind
    }

    [object] GetValue([string]$name, [object]$default, [Microsoft.Win32.RegistryValueOptions]$options) {
        if ($options -ne 'DoNotExpandEnvironmentNames') { throw "$options is not simulated" }
        $value = $this.Values()[$name]
        if ($null -eq $value) { return $default }
        $data = $value[1]
        if ($value[0].ToString() -eq 'REG_SZ') { return $data.ToString() }
        $result = switch ($value[0].ToString()) {
            # A number that is too long comes as its bytes (.NET reference source, RegistryKey.InternalGetValue).
            { $_ -in 'REG_DWORD', 'REG_QWORD' -and $data.GetValueKind() -eq 'String' } { , [Convert]::FromBase64String($data.ToString()); break }
            'REG_DWORD' { [BitConverter]::ToInt32([BitConverter]::GetBytes([uint32]$data.ToString()), 0); break }
            'REG_QWORD' { [BitConverter]::ToInt64([BitConverter]::GetBytes([uint64]$data.ToString()), 0); break }
            'REG_MULTI_SZ' { , [string[]]@(foreach ($item in $data) { $item.ToString() }); break }
            'REG_EXPAND_SZ' { $data.ToString(); break }
            { $_ -in 'REG_BINARY', 'REG_NONE' } { , [Convert]::FromBase64String($data.ToString()); break }
            default { $default }
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
            'String' { '["REG_SZ",' + [LabPC]::Quoted($data) + ']' }
            'ExpandString' { '["REG_EXPAND_SZ",' + [LabPC]::Quoted($data) + ']' }
            'MultiString' { '["REG_MULTI_SZ",[' + (@([string[]]$data | ForEach-Object { [LabPC]::Quoted($_) }) -join ',') + ']]' }
            default { '["REG_' + $kind.ToString().ToUpperInvariant() + '","' + [Convert]::ToBase64String([byte[]]$data) + '"]' }
        }
        $this.Values()[$name] = [JsonNode]::Parse($wire)
        [LabPC]::Log(('value', $this.Path, $name))
        $this.Changed()
    }

    [void] DeleteValue([string]$name, [bool]$mustExist) {
        $this.NeedWrite()
        $fault = [LabPC]::Fault("remove_registry_value:$name")
        if ($fault) { throw [System.IO.IOException]::new($fault) }
        $null = $this.Values().Remove($name)
        $this.Changed()
    }

    [void] DeleteSubKey([string]$name, [bool]$mustExist) {
        $this.NeedWrite()
        $full = $this.Path + '\' + $name
        foreach ($entry in [LabPC]::State['registry']) {
            if ($entry.Key.StartsWith("$full\", 'OrdinalIgnoreCase')) { throw [System.InvalidOperationException]::new('Registry key has subkeys.') }
        }
        $null = [LabPC]::State['registry'].Remove($full)
        $this.Changed()
    }

    [void] Dispose() { }
}

# System.Net.Dns (Microsoft Learn), with the numbers of Winsock errors (Microsoft Learn, Windows Sockets Error Codes): .NET on Linux has
# others. A name that is missing in the PC's state is an error in the test: no name service is asked.
[NoRunspaceAffinity()]
class LabDns {
    static [System.Threading.Tasks.Task[System.Net.IPAddress[]]] GetHostAddressesAsync([string]$name) {
        $task = [System.Threading.Tasks.TaskCompletionSource[System.Net.IPAddress[]]]::new()
        $literal = [System.Net.IPAddress]::None
        $known = $null
        # An assignment of its own: through a pipeline, the addresses of a name would come one by one.
        if ($name) { $known = [LabPC]::State['names'][$name] }
        # An empty name is the PC itself.
        if (-not $name) { $task.SetResult(@(foreach ($one in [LabPC]::State['addresses']) { [System.Net.IPAddress]::Parse($one.ToString()) })) }
        elseif ([System.Net.IPAddress]::TryParse($name, [ref]$literal)) { $task.SetResult(@($literal)) }
        elseif ($name -eq 'localhost') { $task.SetResult(@([System.Net.IPAddress]::Loopback)) }
        elseif ($null -eq $known) { throw "the PC has no answer to the name $name" }
        elseif ($known.GetValueKind() -eq 'Number') { $task.SetException([System.Net.Sockets.SocketException]::new([int]$known.ToString())) }
        elseif ($known.GetValueKind() -eq 'Array') { $task.SetResult(@(foreach ($one in $known) { [System.Net.IPAddress]::Parse($one.ToString()) })) }
        # Anything else ("hang") never completes.
        return $task.Task
    }
}

# System.Net.WebRequest (Microsoft Learn): proxy and login are those of the user in whose session it runs. .NET Framework keeps the
# certificate of a server that has answered in ServicePoint (.NET reference source); .NET here does not.
[NoRunspaceAffinity()]
class LabWebRequest {
    static [System.Net.IWebProxy] GetSystemWebProxy() {
        $proxy = [LabPC]::State['session']['proxy'].ToString()
        if ($proxy) { return [System.Net.WebProxy]::new("http://$proxy") }
        return [System.Net.WebProxy]::new()
    }

    static [object] Create([Uri]$uri) {
        $request = [System.Net.WebRequest]::Create($uri)
        $login = [LabPC]::State['session']['login'].ToString()
        if ($login) { $request.Headers['Proxy-Authorization'] = $login }
        return Add-Member -InputObject $request -MemberType ScriptProperty -Name ServicePoint -Force -PassThru -Value {
            $pem = [LabPC]::State['session']['certificate'].ToString()
            $known = $this.HaveResponse -and $this.RequestUri.Scheme -eq 'https'
            [pscustomobject]@{
                Certificate = $(if ($known) { [System.Security.Cryptography.X509Certificates.X509Certificate2]::CreateFromPem([System.IO.File]::ReadAllText($pem)) })
            }
        }
    }
}

# The shell of a probe while coverage is measured (PowerShell source, Debugger): each runspace has its own breakpoints, and runspaces of
# a pool accept none.
[NoRunspaceAffinity()]
class LabShell {
    [object]$RunspacePool
    hidden [System.Management.Automation.PowerShell]$Real
    hidden [System.Management.Automation.Runspaces.Runspace]$Runspace

    static [LabShell] Create() {
        $shell = [LabShell]::new()
        $shell.Runspace = [System.Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace()
        $shell.Runspace.Open()
        $shell.Real = [System.Management.Automation.PowerShell]::Create()
        $shell.Real.Runspace = $shell.Runspace
        return $shell
    }

    [LabShell] AddScript([string]$text) {
        $source = [System.IO.File]::ReadAllText($env:ETS6_LAB_MEASURED)
        $lines = $source.Substring(0, $source.IndexOf($text)).Split("`n").Count - 1
        $points = [System.Management.Automation.Runspaces.Runspace]::DefaultRunspace.Debugger.GetBreakpoints()
        $file = @($points | Where-Object { $_.Script -like '*_ETS6*' })[0].Script
        $tokens, $errors = $null, $null
        $ast = [Parser]::ParseInput("`n" * $lines + $text, $file, [ref]$tokens, [ref]$errors)
        $this.Runspace.Debugger.SetDebugMode('LocalScript')
        $this.Runspace.Debugger.SetBreakpoints($points)
        $null = $this.Real.AddScript('param ($Block, $First, $Second, $Third) & $Block $First $Second $Third').AddArgument($ast.GetScriptBlock())
        return $this
    }

    [LabShell] AddArgument([object]$value) {
        $null = $this.Real.AddArgument($value)
        return $this
    }

    [object] BeginInvoke() { return $this.Real.BeginInvoke() }

    [object] EndInvoke([IAsyncResult]$handle) { return $this.Real.EndInvoke($handle) }
}

# System.Security.AccessControl.DirectorySecurity (Microsoft Learn): only what Set-Acl needs.
[NoRunspaceAffinity()]
class LabDirectorySecurity {
    [string]$Sddl

    [void] SetSecurityDescriptorSddlForm([string]$sddl, [string]$sections) {
        if ($sections -ne 'Access') { throw 'these sections are not simulated' }
        $this.Sddl = $sddl
    }
}

# System.Security.AccessControl.RegistrySecurity (Microsoft Learn): only what SetAccessControl needs.
[NoRunspaceAffinity()]
class LabRegistrySecurity {
    [string]$Sddl
    [bool]$Modified

    [void] SetSecurityDescriptorSddlForm([string]$sddl, [string]$sections) {
        if ($sections -ne 'Access') { throw 'these sections are not simulated' }
        $this.Sddl = $sddl
        $this.Modified = $true
    }
}

[LabPC]::Load($env:ETS6_LAB_PC)
# A POSIX shell drops names such as ProgramFiles(x86).
foreach ($entry in [LabPC]::State['environment']) { [Environment]::SetEnvironmentVariable($entry.Key, $entry.Value.ToString()) }
$env:COMPUTERNAME = [LabPC]::State['host']['name'].ToString()
$accelerators = [psobject].Assembly.GetType('System.Management.Automation.TypeAccelerators')
$accelerators::Add('Microsoft.Win32.RegistryKey', [LabRegistryKey])
$accelerators::Add('Net.Dns', [LabDns])
$accelerators::Add('Net.WebRequest', [LabWebRequest])
$accelerators::Add('Security.AccessControl.DirectorySecurity', [LabDirectorySecurity])
$accelerators::Add('Security.AccessControl.RegistrySecurity', [LabRegistrySecurity])
if ($env:ETS6_LAB_MEASURED) { $accelerators::Add('Management.Automation.PowerShell', [LabShell]) }
$accelerators::Add('LabPC', [LabPC])
$accelerators::Add('LabRegistryKey', [LabRegistryKey])
$env:PSModulePath = (Join-Path $PSScriptRoot 'Modules') + [System.IO.Path]::PathSeparator + $env:PSModulePath

. "$PSScriptRoot/convertfrom-json.ps1"
