# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# The commands of a simulated PC: firewall, CIM, netsh, reg, scheduled tasks, over the state in ../../stand-ins.ps1. Each names the source
# of its behaviour. Texts are German, since Windows localizes them; error ids are the real ones.

using namespace System.Text.Json.Nodes

$script:Policy = 'HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy'
$script:Rules = "$($script:Policy)\FirewallRules"

#region NetSecurity (windows-powershell-docs; error ids as administrators pasted them: texts are localized, ids are not)

Function Write-LabError {
    param ($Cmdlet, [string]$Id, [string]$Text, [string]$Category, $Target)

    $Cmdlet.WriteError([System.Management.Automation.ErrorRecord]::new([Exception]::new($Text), $Id, $Category, $Target))
}

Function Open-LabRules { [LabRegistryKey]::new($script:Rules, $true) }

Function Get-NetFirewallRule {
    [CmdletBinding()]
    param ([string[]]$Name)

    foreach ($one in $Name) {
        # The name is a wildcard pattern, compared without letter case.
        $pattern = [WildcardPattern]::new($one, 'IgnoreCase')
        $found = @(foreach ($id in (Open-LabRules).GetValueNames()) { if ($pattern.IsMatch($id)) { $id } })
        # A name without wildcards that is not found is an error; a wildcard without a match is none.
        if (-not $found -and -not [WildcardPattern]::ContainsWildcardCharacters($one)) {
            Write-LabError $PSCmdlet 'CmdletizationQuery_NotFound_InstanceID' "Keine MSFT_NetFirewallRule-Objekte gefunden: '$one'." ObjectNotFound $one
        }
        foreach ($id in $found) { [pscustomobject]@{ Name = $id; InstanceID = $id } }
    }
}

Function New-NetFirewallRule {
    [CmdletBinding()]
    param (
        [Parameter(Mandatory)][string]$DisplayName, [string]$Name, [string]$Description, [string]$Group, [string]$Program,
        [ValidateSet('True', 'False')][string]$Enabled = 'True', [string[]]$Profile = 'Any',
        [ValidateSet('Inbound', 'Outbound')][string]$Direction = 'Inbound', [ValidateSet('Allow', 'Block')][string]$Action = 'Allow',
        [string]$Protocol = 'Any', [string[]]$RemoteAddress
    )

    $fault = [LabPC]::Fault("new_firewall_rule:$Name")
    if ($fault -eq 'power loss') {
        [LabPC]::Save()
        [Environment]::Exit(1)
    }
    if ($fault) { return Write-LabError $PSCmdlet $fault 'Zugriff verweigert' PermissionDenied $null }
    $key = Open-LabRules
    if (@($key.GetValueNames()) -contains $Name) {
        return Write-LabError $PSCmdlet 'Windows System Error 183' 'Eine Datei kann nicht erstellt werden, wenn sie bereits vorhanden ist.' ResourceExists $null
    }
    $version = [uint32][LabPC]::Key($script:Policy)['values']['PolicyVersion'][1].ToString() -band 0xFF
    # MS-GPFAS 2.2.2.19: a parameter that is not set has no token. The order of the tokens is that of published rules.
    $text = "v2.$version|Action=$Action|Active=$($Enabled.ToUpperInvariant())|Dir=$(@{ Inbound = 'In'; Outbound = 'Out' }[$Direction])"
    if ($Protocol -ne 'Any') { $text += "|Protocol=$(@{ TCP = 6; UDP = 17 }[$Protocol])" }
    # The enum's numbers are flags, so Windows writes them in this order.
    foreach ($one in 'Domain', 'Private', 'Public') { if (@($Profile -split ',\s*') -contains $one) { $text += "|Profile=$one" } }
    foreach ($address in $RemoteAddress) { if ($address -notmatch ':') { $text += "|RA4=$address" } }
    foreach ($address in $RemoteAddress) { if ($address -match ':' -or $address -match '^[A-Za-z]+$') { $text += "|RA6=$address" } }
    if ($Program) { $text += "|App=$Program" }
    $text += "|Name=$DisplayName"
    if ($Description) { $text += "|Desc=$Description" }
    if ($Group) { $text += "|EmbedCtxt=$Group" }
    $key.SetValue($Name, "$text|", 'String')
    [pscustomobject]@{ Name = $Name; InstanceID = $Name; PrimaryStatus = 'OK' }
}

Function Remove-NetFirewallRule {
    [CmdletBinding()]
    param ([string[]]$Name)

    # Without a selector it removes every local rule (windows-powershell-docs).
    foreach ($rule in @(Get-NetFirewallRule -Name $(if ($Name) { $Name } else { '*' }))) {
        $fault = [LabPC]::Fault("remove_firewall_rule:$($rule.Name)")
        if ($fault) { Write-LabError $PSCmdlet $fault 'Zugriff verweigert' PermissionDenied $null }
        else { (Open-LabRules).DeleteValue($rule.Name, $true) }
    }
}

Function Set-NetFirewallProfile {
    [CmdletBinding()]
    param (
        [ValidateSet('Domain', 'Private', 'Public')][string[]]$Name,
        [ValidateSet('True', 'False', 'NotConfigured')][string]$AllowUnicastResponseToMulticast
    )

    foreach ($one in $Name) {
        $fault = [LabPC]::Fault("set_firewall_profile:$one")
        if ($fault) { return Write-LabError $PSCmdlet $fault 'Zugriff verweigert' PermissionDenied $null }
        # MS-GPFAS 2.2.2: the private profile's key is StandardProfile, and the value says the opposite.
        $path = "$($script:Policy)\$(@{ Domain = 'DomainProfile'; Private = 'StandardProfile'; Public = 'PublicProfile' }[$one])"
        $base = [LabRegistryKey]::OpenBaseKey('LocalMachine', 'Registry64')
        $key = $base.CreateSubKey($path.Substring(5))
        if ($AllowUnicastResponseToMulticast -eq 'NotConfigured') { $key.DeleteValue('DisableUnicastResponsesToMulticastBroadcast', $false) }
        else { $key.SetValue('DisableUnicastResponsesToMulticastBroadcast', [int]($AllowUnicastResponseToMulticast -eq 'False'), 'DWord') }
    }
}

#endregion
#region Programs

# A program writes to the error stream. Windows PowerShell 5.1 makes error records of that if the stream is redirected, and applies the
# caller's ErrorActionPreference (PowerShell issue 3996).
Function Stop-LabProgram {
    param ($Cmdlet, [int]$Code, [string]$Text)

    $global:LASTEXITCODE = $Code
    Write-Error $Text -ErrorAction $Cmdlet.GetVariableValue('ErrorActionPreference')
}

# A program that Windows does not start, as AppLocker has it, or that gets more than 32,766 characters (Microsoft Learn, CreateProcess)
# leaves the exit code of the one before. The error is ApplicationFailedException (PowerShell source).
Function Assert-LabStart([string]$Name) {
    $fault = [LabPC]::Fault("start:$Name")
    if ($fault) { throw [System.Management.Automation.ApplicationFailedException]::new($fault) }
}

# netsh winhttp (Microsoft Learn). The keys that it writes, and the version in each, are in the state, since sources differ.
Function netsh.exe {
    [CmdletBinding()]
    param ([Parameter(ValueFromRemainingArguments)][string[]]$Words)

    Assert-LabStart netsh.exe
    $global:LASTEXITCODE = 0
    $server = ''
    $bypass = ''
    foreach ($word in $Words) {
        if ($word -like 'proxy-server=*') { $server = $word.Substring(13) }
        if ($word -like 'bypass-list=*') { $bypass = $word.Substring(12) }
    }
    $flags = if ($server) { 3 } else { 1 }
    $base = [LabRegistryKey]::OpenBaseKey('LocalMachine', 'Registry64')
    foreach ($view in [LabPC]::State['netsh']) {
        if ($view.Key -eq [LabPC]::Fault('netsh')) {
            return Stop-LabProgram $PSCmdlet 1 'Fehler beim Schreiben der Proxyeinstellungen. (5) Zugriff verweigert'
        }
        $blob = [System.IO.MemoryStream]::new()
        $writer = [System.IO.BinaryWriter]::new($blob)
        foreach ($number in [uint32]$view.Value.ToString(), 0, $flags) { $writer.Write([uint32]$number) }
        foreach ($text in $server, $bypass) {
            $writer.Write([uint32]$text.Length)
            $writer.Write([System.Text.Encoding]::ASCII.GetBytes($text))
        }
        $base.CreateSubKey("$($view.Key)\Microsoft\Windows\CurrentVersion\Internet Settings\Connections").SetValue('WinHttpSettings', $blob.ToArray(), 'Binary')
    }
    'Aktuelle WinHTTP-Proxyeinstellungen:'
}

# reg load and unload (Microsoft Learn): load a hive file as a key below HKEY_USERS, and unload it. A loaded file is in use, and a
# missing one is created (Microsoft Learn, RegLoadKey).
Function reg.exe {
    [CmdletBinding()]
    param ([Parameter(ValueFromRemainingArguments)][string[]]$Words)

    Assert-LabStart reg.exe
    $global:LASTEXITCODE = 0
    $verb, $key, $file = $Words
    $registry = [LabPC]::State['registry']
    if ($null -eq [LabPC]::State['mounts']) { [LabPC]::State['mounts'] = [LabPC]::Node('{}') }
    $fault = [LabPC]::Fault("reg_$verb")
    if ($fault) { return Stop-LabProgram $PSCmdlet 1 $fault }
    $from, $to = if ($verb -eq 'load') { "FILE\$file", $key } else { $key, [string][LabPC]::State['mounts'][$key] }
    foreach ($mount in [LabPC]::State['mounts']) {
        if ($verb -eq 'load' -and $mount.Value.ToString() -eq $from) { return Stop-LabProgram $PSCmdlet 1 'FEHLER: Der Prozess kann nicht auf die Datei zugreifen.' }
    }
    if ($verb -eq 'load' -and $null -eq [LabPC]::Key($from)) { $registry[$from] = [LabPC]::Node('{"values":{}}') }
    $names = @(foreach ($entry in $registry) { if ($entry.Key -eq $from -or $entry.Key.StartsWith("$from\", 'OrdinalIgnoreCase')) { $entry.Key } })
    if (-not $names -or -not $to) { return Stop-LabProgram $PSCmdlet 1 'FEHLER: Das System kann die angegebene Datei nicht finden.' }
    foreach ($name in $names) {
        $node = $registry[$name]
        $null = $registry.Remove($name)
        $registry[$to + $name.Substring($from.Length)] = $node
    }
    if ($verb -eq 'load') { [LabPC]::State['mounts'][$key] = $from } else { $null = [LabPC]::State['mounts'].Remove($key) }
    [LabPC]::Save()
    'Der Vorgang wurde erfolgreich beendet.'
}

#endregion
#region CIM, services, COM, files

Function Get-CimInstance {
    [CmdletBinding()]
    param ([string]$Namespace, [string]$ClassName, [string]$Filter, [uint32]$OperationTimeoutSec)

    $fault = [LabPC]::Fault("cim:$ClassName")
    if ($fault) { return Write-LabError $PSCmdlet $fault 'Der RPC-Server ist nicht verfügbar.' ResourceUnavailable $null }
    switch ("$ClassName $Filter") {
        # Each session has processes of the system. A user's first one is explorer.exe, or the program of a kiosk.
        'Win32_Process SessionId<>0' {
            $session = 0
            foreach ($user in [LabPC]::State['users']) {
                if ([string]$user['logged_on'] -ne 'true') { continue }
                $session++
                $shell = if ($null -ne $user['shell']) { $user['shell'].ToString() } else { 'explorer.exe' }
                [pscustomobject]@{ Name = 'csrss.exe'; SessionId = $session; ProcessId = 10 * $session; Owner = 'S-1-5-18' }
                [pscustomobject]@{ Name = $shell; SessionId = $session; ProcessId = 10 * $session + 1; Owner = $user['sid'].ToString() }
            }
        }
        'Win32_LogicalDisk DriveType=3' { foreach ($drive in [LabPC]::State['drives']) { [pscustomobject]@{ DeviceID = $drive.ToString() } } }
        # Win32_Account (Microsoft Learn): SIDType is 1 for a user, 2 for a group, 4 for a group of the PC itself.
        "Win32_Account Domain='$env:COMPUTERNAME'" {
            foreach ($account in [LabPC]::State['accounts']) {
                [pscustomobject]@{ SID = $account['sid'].ToString(); Name = $account['name'].ToString(); SIDType = [byte]$account['type'].ToString() }
            }
        }
        'FirewallProduct ' {
            # WBEM_E_INVALID_NAMESPACE (Microsoft Learn): Windows Server has no Security Center.
            if ($null -eq [LabPC]::State['firewall_products']) {
                return Write-LabError $PSCmdlet 'HRESULT 0x8004100e' 'Ungültiger Namespace' InvalidArgument $null
            }
            foreach ($product in [LabPC]::State['firewall_products']) {
                [pscustomobject]@{ displayName = $product['name'].ToString(); productState = [uint32]$product['product_state'].ToString() }
            }
        }
        default { throw "$ClassName with the filter `"$Filter`" is not simulated" }
    }
}

# Win32_Process.GetOwnerSid and GetOwner (Microsoft Learn): a process that has ended is not found.
Function Invoke-CimMethod {
    [CmdletBinding()]
    param ($InputObject, [string]$MethodName, [uint32]$OperationTimeoutSec)

    if ($MethodName -eq 'GetOwner') { return [pscustomobject]@{ Domain = 'LAB'; User = 'knx'; ReturnValue = 0 } }
    if ($MethodName -ne 'GetOwnerSid') { throw "$MethodName is not simulated" }
    $fault = [LabPC]::Fault("owner:$($InputObject.Owner)")
    if ($fault) { return Write-LabError $PSCmdlet $fault 'Nicht gefunden' ObjectNotFound $null }
    [pscustomobject]@{ Sid = $InputObject.Owner; ReturnValue = 0 }
}

# Get-Service (Microsoft Learn): an error for each name that is not found.
Function Get-Service {
    [CmdletBinding()]
    param ([string[]]$Name)

    foreach ($one in $Name) {
        $state = [LabPC]::State['services'][$one]
        if ($null -ne $state) { [pscustomobject]@{ Name = $one; Status = $state.ToString() } }
        else { Write-LabError $PSCmdlet 'NoServiceFoundForGivenName' "Es kann kein Dienst mit dem Dienstnamen `"$one`" gefunden werden." ObjectNotFound $one }
    }
}

# Get-NetConnectionProfile (windows-powershell-docs): one for each connected network; NetworkCategory is 0 public, 1 private, 2 domain.
Function Get-NetConnectionProfile {
    [CmdletBinding()]
    param ()

    $fault = [LabPC]::Fault('networks')
    if ($fault) { return Write-LabError $PSCmdlet $fault 'Zugriff verweigert' PermissionDenied $null }
    foreach ($network in [LabPC]::State['networks']) {
        [pscustomobject]@{
            InterfaceAlias = $network['interface'].ToString()
            InterfaceIndex = [uint32]$network['index'].ToString()
            Name = $network['name'].ToString()
            NetworkCategory = @('public', 'private', 'domain').IndexOf($network['category'].ToString())
        }
    }
}

# INetFwPolicy2 (Microsoft Learn): CurrentProfileTypes is 1 domain, 2 private, 4 public; Rules are those of the local store, as the
# service has them; LocalPolicyModifyState is 0 where a local change has an effect. INetFwProducts lists who took over which rules.
Function New-Object {
    [CmdletBinding()]
    param ([Parameter(Position = 0)][string]$TypeName, [object[]]$ArgumentList, [string]$ComObject, [System.Collections.IDictionary]$Property)

    if ($ComObject -eq 'HNetCfg.FwPolicy2') {
        if ($null -eq [LabPC]::State['network']) { throw 'Der Remoteprozeduraufruf ist fehlgeschlagen.' }
        $types = 0
        foreach ($name in [LabPC]::State['network']) { $types += @{ domain = 1; private = 2; public = 4 }[$name.ToString()] }
        $rules = [LabPC]::State['service_rules']
        if ($null -eq $rules) { $rules = @((Open-LabRules).GetValueNames()).Count }
        $state = [int][LabPC]::State['modify_state'].ToString()
        return [pscustomobject]@{ CurrentProfileTypes = $types; Rules = @{ Count = [int]$rules.ToString() }; LocalPolicyModifyState = $state }
    }
    if ($ComObject -eq 'HNetCfg.FwProducts') {
        if ($null -eq [LabPC]::State['registered_firewalls']) { throw 'Klasse nicht registriert' }
        return @(foreach ($product in [LabPC]::State['registered_firewalls']) {
                [pscustomobject]@{
                    DisplayName = $product['name'].ToString()
                    RuleCategories = @(foreach ($category in $product['categories']) { [int]$category.ToString() })
                }
            })
    }
    Microsoft.PowerShell.Utility\New-Object @PSBoundParameters
}

# A folder is there where a file or a hive is below it.
Function Test-LabFolder([string]$Path) {
    $below = $Path.TrimEnd('\') + '\'
    foreach ($entry in [LabPC]::State['files']) { if ($entry.Key.StartsWith($below, 'OrdinalIgnoreCase')) { return $true } }
    foreach ($entry in [LabPC]::State['registry']) { if ($entry.Key.StartsWith("FILE\$below", 'OrdinalIgnoreCase')) { return $true } }
    $false
}

# Get-Acl (Microsoft Learn): the descriptor of a file or folder, whose text has the sections that are asked for.
Function Get-Acl {
    [CmdletBinding()]
    param ([string]$LiteralPath)

    $sddl = [LabPC]::State['access'][$LiteralPath]
    if ($null -eq $sddl) { throw [System.UnauthorizedAccessException]::new("Es wurde versucht, einen nicht autorisierten Vorgang auszuführen: $LiteralPath") }
    [pscustomobject]@{ Sddl = $sddl.ToString() } | Add-Member -MemberType ScriptMethod -Name GetSecurityDescriptorSddlForm -PassThru -Value {
        param ([System.Security.AccessControl.AccessControlSections]$Sections)
        if ($Sections -ne 'Owner, Access') { throw 'these sections are not simulated' }
        $this.Sddl
    }
}

# Get-Item of the FileSystem provider (Microsoft Learn): a missing drive and a missing file are different errors.
Function Get-Item {
    [CmdletBinding()]
    param ([string]$LiteralPath, [switch]$Force)

    if ($LiteralPath -notmatch '^[A-Za-z]:\\') { return Microsoft.PowerShell.Management\Get-Item @PSBoundParameters }
    $drive = $LiteralPath.Substring(0, 2)
    if (@(foreach ($one in [LabPC]::State['drives']) { $one.ToString() }) -notcontains $drive) {
        throw [System.Management.Automation.DriveNotFoundException]::new("Das Laufwerk wurde nicht gefunden. Ein Laufwerk mit dem Namen `"$drive`" ist nicht vorhanden.")
    }
    $file = [LabPC]::State['files'][$LiteralPath]
    $attributes = [System.IO.FileAttributes]$(if ([LabPC]::Fault("link:$LiteralPath")) { 'ReparsePoint' } else { 'Normal' })
    if ($null -eq $file -and $LiteralPath -like '*\NTUSER.DAT') {
        foreach ($entry in [LabPC]::State['registry']) {
            if ($entry.Key.StartsWith("FILE\$LiteralPath\", 'OrdinalIgnoreCase')) {
                $size = [LabPC]::State['hive_sizes'][$LiteralPath]
                $length = if ($null -eq $size) { 262144 } else { [long]$size.ToString() }
                return [pscustomobject]@{ PSIsContainer = $false; Attributes = $attributes; Length = $length }
            }
        }
    }
    if ($null -eq $file -and (Test-LabFolder $LiteralPath)) { return [pscustomobject]@{ PSIsContainer = $true; Attributes = $attributes -bor 16 } }
    if ($null -eq $file) { throw [System.Management.Automation.ItemNotFoundException]::new("Der Pfad `"$LiteralPath`" kann nicht gefunden werden.") }
    if ($null -ne $file['denied']) { throw [System.UnauthorizedAccessException]::new("Der Zugriff auf den Pfad `"$LiteralPath`" wurde verweigert.") }
    if ($null -ne $file['folder']) { return [pscustomobject]@{ PSIsContainer = $true; Attributes = $attributes -bor 16 } }
    $major, $minor, $build, $private = $file['version'].ToString() -split '\.'
    [pscustomobject]@{
        PSIsContainer = $false
        Attributes = $attributes
        Length = [long]$file['size'].ToString()
        VersionInfo = [pscustomobject]@{ FileMajorPart = $major; FileMinorPart = $minor; FileBuildPart = $build; FilePrivatePart = $private }
        Head = $file['head']
    } | Add-Member -MemberType ScriptMethod -Name OpenRead -PassThru -Value {
        if ($null -eq $this.Head) { throw [System.IO.IOException]::new('Der Prozess kann nicht auf die Datei zugreifen.') }
        [System.IO.MemoryStream]::new([Convert]::FromBase64String($this.Head.ToString()))
    }
}

# Get-Content of the hosts file (Microsoft Learn): the lines, or an error where the file is missing.
Function Get-Content {
    [CmdletBinding()]
    param ([string]$LiteralPath)

    if ($LiteralPath -notlike '*\drivers\etc\hosts') { return Microsoft.PowerShell.Management\Get-Content @PSBoundParameters }
    $hosts = [LabPC]::State['hosts']
    if ($null -eq $hosts) { throw [System.Management.Automation.ItemNotFoundException]::new("Der Pfad `"$LiteralPath`" kann nicht gefunden werden.") }
    foreach ($line in $hosts) { $line.ToString() }
}

#endregion

#region ScheduledTasks (windows-powershell-docs; results: Microsoft Learn, Task Scheduler Error and Success Constants)
# A task with an interactive logon runs in the session of its user.

$script:Tasks = @{}

Function New-ScheduledTaskAction {
    [CmdletBinding()]
    param ([Parameter(Mandatory)][string]$Execute, [string]$Argument)

    @{ execute = $Execute; argument = $Argument }
}

Function New-ScheduledTaskPrincipal {
    [CmdletBinding()]
    param ([Parameter(Mandatory)][string]$UserId, [ValidateSet('Interactive')][string]$LogonType, [ValidateSet('Limited')][string]$RunLevel)

    @{ user = $UserId; logon = $LogonType; level = $RunLevel }
}

Function New-ScheduledTaskSettingsSet {
    [CmdletBinding()]
    param ([switch]$AllowStartIfOnBatteries, [switch]$DontStopIfGoingOnBatteries)

    @{ on_batteries = $AllowStartIfOnBatteries -and $DontStopIfGoingOnBatteries }
}

Function Register-ScheduledTask {
    [CmdletBinding()]
    param ([Parameter(Mandatory)][string]$TaskName, [Parameter(Mandatory)]$Action, $Principal, $Settings)

    $fault = [LabPC]::Fault('register_task')
    if ($fault) { return Write-LabError $PSCmdlet $fault 'Zugriff verweigert' PermissionDenied $null }
    $script:Tasks[$TaskName] = @{ action = $Action; principal = $Principal; settings = $Settings }
    [pscustomobject]@{ TaskName = $TaskName; State = 'Ready' }
}

Function Start-ScheduledTask {
    [CmdletBinding()]
    param ([Parameter(Mandatory)][string]$TaskName)

    $task = $script:Tasks[$TaskName]
    if ([LabPC]::Fault('start_task')) { return }
    if ($task.principal.user -ne 'LAB\knx' -or $task.action.execute -notlike '*\WindowsPowerShell\v1.0\powershell.exe') { throw 'this task is not simulated' }
    if ($task.action.argument -notmatch '-File "([^"]+)" "([^"]+)" (\d+) (\d+)$') { throw 'these arguments are not simulated' }
    $program, $folder, $seconds, $start = $Matches[1..4]
    if ([LabPC]::Fault('end_task')) { [System.IO.File]::Delete((Join-Path $folder 'probes.txt')) }
    $task.run = Start-LabShell -Text ([System.IO.File]::ReadAllText($program)) -Words $folder, $seconds, $start
}

Function Get-ScheduledTaskInfo {
    [CmdletBinding()]
    param ([Parameter(Mandatory)][string]$TaskName)

    $task = $script:Tasks[$TaskName]
    # SCHED_S_TASK_HAS_NOT_RUN, SCHED_S_TASK_RUNNING; afterwards the exit code of the program.
    $code = if (-not $task['run']) { 267011 } elseif ($task.run.handle.IsCompleted) { 1 } else { 267009 }
    [pscustomobject]@{ LastTaskResult = $code }
}

Function Stop-ScheduledTask {
    [CmdletBinding()]
    param ([Parameter(Mandatory)][string]$TaskName)

    if (-not $script:Tasks.ContainsKey($TaskName)) { Write-LabError $PSCmdlet 'HRESULT 0x80070002' "Das System kann $TaskName nicht finden." ObjectNotFound $TaskName }
    $file = [LabPC]::Fault('stop_task')
    if ($file) { [System.IO.File]::WriteAllText((Join-Path (Get-ChildItem -LiteralPath $env:ProgramData | Select-Object -First 1).FullName $file), 'x') }
}

Function Unregister-ScheduledTask {
    [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')]
    param ([Parameter(Mandatory)][string]$TaskName)

    if ($PSCmdlet.ShouldProcess($TaskName)) {
        $script:Tasks.Remove($TaskName)
        [LabPC]::State['tasks_left'] = [JsonNode]::Parse([string]$script:Tasks.Count)
        [LabPC]::Save()
    }
}

#endregion
#region Jobs and access control (Microsoft Learn): a job's process is a runspace here; access rights are only recorded

Function Start-LabShell {
    param ([string]$Text, [object[]]$Words)

    $shell = [Management.Automation.PowerShell]::Create()
    # The engine has commands of these names, so they do not load the module on demand.
    $first = [System.Management.Automation.PowerShell]::Create()
    $first.Runspace = $shell.Runspace
    $null = $first.AddScript('Import-Module LabWindows').Invoke()
    $null = $shell.AddScript($Text)
    foreach ($word in $Words) { $null = $shell.AddArgument($word) }
    @{ shell = $shell; handle = $shell.BeginInvoke() }
}

Function Start-Job {
    [CmdletBinding()]
    param ([Parameter(Mandatory)][scriptblock]$ScriptBlock, [object[]]$ArgumentList)

    $job = [pscustomobject](Start-LabShell -Text $ScriptBlock.ToString() -Words $ArgumentList)
    Add-Member -InputObject $job -MemberType ScriptProperty -Name State -PassThru -Value { if ($this.handle.IsCompleted) { 'Completed' } else { 'Running' } }
}

Function Wait-Job {
    [CmdletBinding()]
    param ([Parameter(Mandatory)][object[]]$Job, [int]$Timeout)

    $until = [DateTime]::UtcNow.AddSeconds($Timeout)
    foreach ($one in $Job) {
        $left = [int][Math]::Max(0, ($until - [DateTime]::UtcNow).TotalMilliseconds)
        if ($one.handle.AsyncWaitHandle.WaitOne($left)) { $one }
    }
}

Function Receive-Job {
    [CmdletBinding()]
    param ([Parameter(Mandatory, ValueFromPipeline)][object]$Job)

    process { $Job.shell.EndInvoke($Job.handle) }
}

# Get-Date (Microsoft Learn) by the clock of the PC.
Function Get-Date { [DateTime]::Now.AddSeconds([int][LabPC]::State['clock'].ToString()) }

Function Set-Acl {
    [CmdletBinding()]
    param ([Parameter(Mandatory)][string]$LiteralPath, [Parameter(Mandatory)][object]$AclObject)

    if (-not [System.IO.Directory]::Exists($LiteralPath)) { throw 'there is no such folder' }
    [LabPC]::State['acl'] = [JsonNode]::Parse([LabPC]::Quoted($AclObject.Sddl))
    [LabPC]::Save()
    $file = [LabPC]::Fault('set_acl')
    if ($file) { [System.IO.File]::WriteAllText((Join-Path $LiteralPath $file), 'x') }
}

#endregion

# Programs are called by their paths.
foreach ($program in 'netsh.exe', 'reg.exe') { Set-Alias -Name "C:\Windows\System32\$program" -Value $program }

Export-ModuleMember -Alias * -Function *-Net*, *-Cim*, *-ScheduledTask*, *-Job, Get-Acl, Set-Acl, netsh.exe, reg.exe, Get-Service, New-Object, Get-Item, Get-Content, Get-Date
