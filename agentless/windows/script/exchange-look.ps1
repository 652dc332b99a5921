# wavekeeper: exchange-look 1
# in: names of the servers by comma; parts by comma, of connectors, certificates, agents, pop, um, databases, books, domains, levels, queues, controllers
# out: connector fqdn|mechanisms|bindings|name; certificate thumbprint|services|ticks of its end in UTC|self-signed|private key|names|subject; agent enabled|priority|company|assembly|name; pop login type; imap login type; um status|languages|dial plans; calls; plan language|name; database p or m|mounted|backup runs|ticks of the last full backup in UTC|identity; book server|its distinguished name|name; domain; template; level level|source\category; queue messages|identity; controllers configuration|domain controllers; asked part, of one that was read whole; failed part|type and code; error
# exit: 0; 1 with error
# on: 2003, 2008, 2008 R2
function wk_exchange_look([string]$n, [string]$names, [string]$parts) {
    function put([string]$name, $value) {
        $global:wkCount = $global:wkCount + 1
        [Console]::Out.WriteLine('#' + $n + ' ' + $name + '=' + [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([string]$value)))
    }
    function end_records { [Console]::Out.WriteLine('#' + $n + ' END ' + [string]$global:wkCount) }
    function why($record) {
        $e = $record.Exception
        while ($e.InnerException -ne $null) { $e = $e.InnerException }
        $e.GetType().FullName + ' ' + [Runtime.InteropServices.Marshal]::GetHRForException($e).ToString('X8')
    }
    trap { put 'error' (why $_); end_records; exit 1 }
    $ErrorActionPreference = 'Stop'
    $global:wkCount = 0
    Add-PSSnapin 'Microsoft.Exchange.Management.PowerShell.Admin'
    function plain($value) { ([string]$value).Replace('|', ' ') }
    function several($values) {
        $text = ''
        foreach ($one in $values) {
            if ($one -ne $null) {
                if ($text -ne '') { $text = $text + ' ' }
                $text = $text + ([string]$one).Replace('|', ' ').Replace(' ', '_')
            }
        }
        $text
    }
    function moment($when) {
        if ($when -ne $null) { [string]$when.ToUniversalTime().Ticks }
    }
    function maker([string]$path) {
        $global:wkMaker = ''
        $file = [Diagnostics.FileVersionInfo]::GetVersionInfo($path)
        $global:wkMaker = [string]$file.CompanyName
    }
    function try_maker([string]$path) { trap { continue }; maker $path }
    function look_connectors([string]$server) {
        $all = Get-ReceiveConnector -Server $server
        foreach ($each in $all) {
            if ($each -ne $null) { put 'connector' ((plain $each.Fqdn) + '|' + [string]$each.AuthMechanism + '|' + (several $each.Bindings) + '|' + [string]$each.Name) }
        }
    }
    function look_certificates {
        $all = Get-ExchangeCertificate
        foreach ($each in $all) {
            if ($each -ne $null) {
                put 'certificate' ([string]$each.Thumbprint + '|' + [string]$each.Services + '|' + (moment $each.NotAfter) + '|' + [string]$each.IsSelfSigned + '|' + [string]$each.HasPrivateKey + '|' + (several $each.CertificateDomains) + '|' + [string]$each.Subject)
            }
        }
    }
    function look_agents {
        $all = Get-TransportAgent
        foreach ($each in $all) {
            if ($each -ne $null) {
                try_maker $each.AssemblyPath
                put 'agent' ([string]$each.Enabled + '|' + [string]$each.Priority + '|' + (plain $global:wkMaker) + '|' + (plain $each.AssemblyPath) + '|' + [string]$each.Identity)
            }
        }
    }
    function look_pop([string]$server) {
        $pop = Get-PopSettings -Server $server
        put 'pop' $pop.LoginType
        $imap = Get-ImapSettings -Server $server
        put 'imap' $imap.LoginType
    }
    function look_um([string]$server) {
        $um = Get-UMServer -Identity $server
        put 'um' ([string]$um.Status + '|' + (several $um.Languages) + '|' + (several $um.DialPlans))
        $all = Get-UMDialPlan
        foreach ($each in $all) {
            if ($each -ne $null) { put 'plan' ([string]$each.DefaultLanguage + '|' + [string]$each.Name) }
        }
        $calls = 0
        $all = Get-UMActiveCalls -Server $server
        foreach ($each in $all) {
            if ($each -ne $null) { $calls = $calls + 1 }
        }
        put 'calls' $calls
    }
    function one_database([string]$kind, $each) {
        put 'database' ($kind + '|' + [string]$each.Mounted + '|' + [string]$each.BackupInProgress + '|' + (moment $each.LastFullBackup) + '|' + [string]$each.Identity)
    }
    function look_databases([string]$server) {
        $all = Get-MailboxDatabase -Server $server -Status
        foreach ($each in $all) {
            if ($each -ne $null) { one_database 'm' $each }
        }
        $all = Get-PublicFolderDatabase -Server $server -Status
        foreach ($each in $all) {
            if ($each -ne $null) { one_database 'p' $each }
        }
    }
    function look_books {
        $all = Get-OfflineAddressBook
        foreach ($each in $all) {
            if ($each -ne $null) { put 'book' ((plain $each.Server.Name) + '|' + (plain $each.Server.DistinguishedName) + '|' + [string]$each.Name) }
        }
    }
    function look_domains {
        $all = Get-AcceptedDomain
        foreach ($each in $all) {
            if ($each -ne $null) { put 'domain' $each.DomainName }
        }
        $all = Get-EmailAddressPolicy
        foreach ($each in $all) {
            if ($each -ne $null) {
                foreach ($one in $each.EnabledEmailAddressTemplates) {
                    if ($one -ne $null) { put 'template' $one }
                }
            }
        }
    }
    function look_levels {
        $all = Get-EventLogLevel
        foreach ($each in $all) {
            if ($each -ne $null) { put 'level' ([string]$each.EventLevel + '|' + [string]$each.Identity) }
        }
    }
    function look_queues([string]$server) {
        $all = Get-Queue -Server $server
        foreach ($each in $all) {
            if ($each -ne $null) { put 'queue' ([string]$each.MessageCount + '|' + [string]$each.Identity) }
        }
    }
    function look_controllers([string]$server) {
        $each = Get-ExchangeServer -Identity $server -Status
        put 'controllers' ([string]$each.StaticConfigDomainController + '|' + (several $each.StaticDomainControllers))
    }
    function look_part([string]$part, [string]$server) {
        if ($part -eq 'connectors') { look_connectors $server }
        if ($part -eq 'certificates') { look_certificates }
        if ($part -eq 'agents') { look_agents }
        if ($part -eq 'pop') { look_pop $server }
        if ($part -eq 'um') { look_um $server }
        if ($part -eq 'databases') { look_databases $server }
        if ($part -eq 'books') { look_books }
        if ($part -eq 'domains') { look_domains }
        if ($part -eq 'levels') { look_levels }
        if ($part -eq 'queues') { look_queues $server }
        if ($part -eq 'controllers') { look_controllers $server }
        put 'asked' ($part + '|' + $server)
    }
    function try_part([string]$part, [string]$server) {
        trap { put 'failed' ($part + '|' + $server + '|' + (why $_)); continue }
        look_part $part $server
    }
    foreach ($part in $parts.Split(',')) {
        if ($part -ne $null) {
            foreach ($server in $names.Split(',')) {
                if ($server -ne $null) { try_part $part $server }
            }
        }
    }
    end_records
}
