/* GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 *
 * Prints what winhttp.dll makes of the proxy settings in the registry, a name=value in UTF-8 for each field:
 * WinHttpSettings of the machine, then DefaultConnectionSettings of the user who runs this. */
#include <stdio.h>
#include <windows.h>
#include <winhttp.h>

static void line(const char *name, const WCHAR *text)
{
    char raw[4096] = "";
    if (text)
        WideCharToMultiByte(CP_UTF8, 0, text, -1, raw, sizeof(raw), NULL, NULL);
    printf("%s=%s\n", name, raw);
}

int main(void)
{
    WINHTTP_PROXY_INFO machine;
    WINHTTP_CURRENT_USER_IE_PROXY_CONFIG user;

    if (!WinHttpGetDefaultProxyConfiguration(&machine))
        return 1;
    printf("machine.access=%lu\n", machine.dwAccessType);
    line("machine.proxy", machine.lpszProxy);
    line("machine.bypass", machine.lpszProxyBypass);
    if (!WinHttpGetIEProxyConfigForCurrentUser(&user))
        return 2;
    line("user.proxy", user.lpszProxy);
    line("user.bypass", user.lpszProxyBypass);
    return 0;
}
