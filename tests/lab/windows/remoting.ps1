# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

# A PC's PowerShell for PowerShell Remoting: reads the out-of-process protocol from standard input and runs the pipelines that a client
# sends (MS-PSRP), as powershell.exe -ServerMode does. The stand-ins are loaded before the first runspace is there, so that nothing of
# what the client sent has to be touched: types, environment and module path are the process's, and count in every runspace that the
# client opens. What a runspace has of its own, the functions of convertfrom-json.ps1, the initial command brings to each.

. "$PSScriptRoot/stand-ins.ps1"

$mediator = [psobject].Assembly.GetType('System.Management.Automation.Remoting.Server.StdIOProcessMediator', $true)
$run = $mediator.GetMethod('Run', [Reflection.BindingFlags]'NonPublic, Static')
# Initial command, working directory, configuration's name and file, errors in the output's stream.
$initialCommand = ". '$PSScriptRoot/convertfrom-json.ps1'"
$null = $run.Invoke($null, @($initialCommand, $null, $null, $null, $false))
