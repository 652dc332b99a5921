package twin

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// translation is one text of Windows in the languages other than English.
type translation struct{ de, ja string }

// text is a text of Windows in the display language, English where the twin has
// no other.
func (p platform) text(english string) string {
	core := strings.Trim(english, "\r\n")
	t, ok := translations[core]
	local := t.de
	if p.displayLanguage.name == "ja-JP" {
		local = t.ja
	}
	if !ok || local == "" || p.displayLanguage.name == "en-US" {
		return english
	}
	i := strings.Index(english, core)
	return english[:i] + local + english[i+len(core):]
}

// say writes text to a stream in the display language and the session's code
// page; letters that the code page lacks become question marks. Japanese
// Windows may answer in English instead when the console cannot show its
// letters (SetThreadUILanguage, K).
func (s *session) say(w io.Writer, format string, args ...any) {
	_, _ = w.Write(encode(fmt.Sprintf(s.h.platform.text(format), args...), s.codePage)) // a handle of the simulation does not fail
}

// tell is say for messages that quote others: those are translated too.
func (s *session) tell(w io.Writer, format string, args ...any) {
	p := s.h.platform
	for i, a := range args {
		var unexpected syntaxError
		switch v := a.(type) {
		case string:
			args[i] = p.text(v)
		case error:
			args[i] = p.text(v.Error())
			if errors.As(v, &unexpected) {
				args[i] = fmt.Sprintf(p.text("%s was unexpected at this time."), unexpected.token)
			}
		}
	}
	s.say(w, format, args...)
}

// translations are what German and Japanese Windows say, as remembered: no
// caller may depend on their wording, and to catch one that does is what they
// are for.
var translations = map[string]translation{
	// event logs
	"The %s service entered the running state.":                                          {"Dienst \"%s\" befindet sich jetzt im Status \"Ausgeführt\".", "%s サービスは 実行中 状態に入りました。"},
	"The %s service entered the stopped state.":                                          {"Dienst \"%s\" befindet sich jetzt im Status \"Beendet\".", "%s サービスは 停止 状態に入りました。"},
	"Product: Microsoft Exchange Server - Update installed successfully.":                {"Produkt: Microsoft Exchange Server - Update wurde erfolgreich installiert.", "製品: Microsoft Exchange Server - 更新プログラムは正しくインストールされました。"},
	"Product: Microsoft Exchange Server - Update could not be installed. Error code %v.": {"Produkt: Microsoft Exchange Server - Update konnte nicht installiert werden. Fehlercode %v.", "製品: Microsoft Exchange Server - 更新プログラムをインストールできませんでした。エラー コード %v。"},
	"information": {"Informationen", "情報"},
	"error":       {"Fehler", "エラー"},

	// clusters, and Exchange on them
	"Cluster Group":                       {"Clustergruppe", "クラスタ グループ"},
	"First Storage Group":                 {"Erste Speichergruppe", "最初のストレージ グループ"},
	"Second Storage Group":                {"Zweite Speichergruppe", "2 番目のストレージ グループ"},
	"Active":                              {"Aktiv", "アクティブ"},
	"The cluster service is not running.": {"Der Clusterdienst wird nicht ausgeführt.", "クラスタ サービスが実行されていません。"},

	// cmd.exe
	"The system cannot find the file specified.": {"Das System kann die angegebene Datei nicht finden.", "指定されたファイルが見つかりません。"},
	"The system cannot find the path specified.": {"Das System kann den angegebenen Pfad nicht finden.", "指定されたパスが見つかりません。"},
	"The system cannot find the file %s.":        {"Das System kann die Datei %s nicht finden.", "ファイル %s が見つかりません。"},
	"Access is denied.":                          {"Zugriff verweigert", "アクセスが拒否されました。"},
	"The syntax of the command is incorrect.":    {"Syntaxfehler.", "コマンドの構文が誤っています。"},
	"%s was unexpected at this time.":            {`"%s" kann syntaktisch an dieser Stelle nicht verarbeitet werden.`, "%s の使い方が誤っています。"},
	"'%s' is not recognized as an internal or external command,\r\noperable program or batch file.": {
		"Der Befehl \"%s\" ist entweder falsch geschrieben oder\r\nkonnte nicht gefunden werden.",
		"'%s' は、内部コマンドまたは外部コマンド、\r\n操作可能なプログラムまたはバッチ ファイルとして認識されていません。",
	},
	"%s is not a valid Win32 application.":                          {"%s ist keine zulässige Win32-Anwendung.", "%s は有効な Win32 アプリケーションではありません。"},
	"A subdirectory or file %s already exists.":                     {`Ein Unterverzeichnis oder eine Datei mit dem Namen "%s" existiert bereits.`, "サブディレクトリまたはファイル %s は既に存在します。"},
	"The directory is not empty.":                                   {"Das Verzeichnis ist nicht leer.", "ディレクトリが空ではありません。"},
	"The directory name is invalid.":                                {"Der Verzeichnisname ist ungültig.", "ディレクトリ名が無効です。"},
	"Could Not Find %s":                                             {"%s konnte nicht gefunden werden", "%s が見つかりませんでした。"},
	"File Not Found":                                                {"Datei nicht gefunden", "ファイルが見つかりません"},
	"A duplicate file name exists, or the file\r\ncannot be found.": {"Es ist bereits eine Datei mit diesem Namen vorhanden, oder die Datei\r\nkonnte nicht gefunden werden.", "名前が重複しているか、ファイルが\r\n見つかりません。"},
	" Volume in drive C has no label.\r\n Volume Serial Number is DE0A-8E57": {
		" Volume in Laufwerk C: hat keine Bezeichnung.\r\n Volumeseriennummer: DE0A-8E57", " ドライブ C のボリューム ラベルがありません。\r\n ボリューム シリアル番号は DE0A-8E57 です",
	},
	" Volume in drive %s has no label.\r\n Volume Serial Number is DE0A-8E57\r\n\r\n Directory of %s": {
		" Volume in Laufwerk %s: hat keine Bezeichnung.\r\n Volumeseriennummer: DE0A-8E57\r\n\r\n Verzeichnis von %s",
		" ドライブ %s のボリューム ラベルがありません。\r\n ボリューム シリアル番号は DE0A-8E57 です\r\n\r\n %s のディレクトリ",
	},
	"%16d File(s)":                                          {"%16d Datei(en)", "%16d 個のファイル"},
	"        %d file(s) copied.":                            {"        %d Datei(en) kopiert.", "        %d 個のファイルをコピーしました。"},
	"        0 file(s) copied.":                             {"        0 Datei(en) kopiert.", "        0 個のファイルをコピーしました。"},
	"        1 file(s) moved.":                              {"        1 Datei(en) verschoben.", "        1 個のファイルを移動しました。"},
	"ECHO is %s.":                                           {"ECHO ist eingeschaltet (%s).", "ECHO は <%s> です。"},
	"Environment variable %s not defined":                   {"Die Umgebungsvariable %s ist nicht definiert.", "環境変数 %s が定義されていません"},
	"The system cannot find the batch label specified - %s": {"Das System kann die angegebene Sprungmarke nicht finden - %s", "バッチ ラベルが見つかりません - %s"},
	"Active code page: %d":                                  {"Aktive Codepage: %d.", "現在のコード ページ: %d"},
	"Invalid code page":                                     {"Unzulässige Codepage", "無効なコード ページです"},
	"Divide by zero error.":                                 {"Fehler: Division durch Null.", "0 による除算エラーです。"},
	"Missing operand.":                                      {"Fehlender Operand.", "オペランドがありません。"},
	"Missing operator.":                                     {"Fehlender Operator.", "演算子がありません。"},

	// reg.exe
	"The operation completed successfully": {"Der Vorgang wurde erfolgreich ausgeführt", "この操作を正しく終了しました。"},
	"Error:  The system was unable to find the specified registry key or value": {
		"Fehler:  Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden", "エラー:  指定されたレジストリ キーまたは値が見つかりませんでした",
	},
	"Error:  Invalid command-line parameters": {"Fehler:  Ungültige Befehlszeilenparameter", "エラー:  コマンド ライン パラメータが無効です"},
	"(Default)": {"(Standard)", "(既定)"},
	"<NO NAME>": {"<KEIN NAME>", "<名前なし>"},

	// sc.exe and net.exe
	"[SC] %s FAILED %d:\r\n\r\n%s": {"[SC] %s FEHLER %d:\r\n\r\n%s", "[SC] %s エラー %d:\r\n\r\n%s"},
	"A stop control has been sent to a service that other running services are dependent on.": {
		"Der Dienst, dem eine Steuerungsanforderung zum Beenden gesendet wurde, ist von anderen aktiven Diensten abhängig.",
		"実行中のほかのサービスが依存しているサービスに停止コントロールが送信されました。",
	},
	"An instance of the service is already running.": {"Eine Instanz des Dienstes wird bereits ausgeführt.", "サービスのインスタンスは既に実行中です。"},
	"The service cannot be started, either because it is disabled or because it has no enabled devices associated with it.": {
		"Der Dienst kann nicht gestartet werden. Er ist deaktiviert oder nicht mit aktivierten Geräten verbunden.",
		"無効であるか、または有効なデバイスが関連付けられていないため、サービスを開始できません。",
	},
	"The specified service does not exist as an installed service.":                          {"Der angegebene Dienst ist kein installierter Dienst.", "指定されたサービスはインストールされたサービスとして存在しません。"},
	"The service cannot accept control messages at this time.":                               {"Der Dienst kann zurzeit keine Steuerungsmeldungen annehmen.", "サービスは現在、コントロール メッセージを受け付けることができません。"},
	"The service has not been started.":                                                      {"Der Dienst wurde nicht gestartet.", "サービスは開始されませんでした。"},
	"The dependency service or group failed to start.":                                       {"Der Abhängigkeitsdienst oder die Abhängigkeitsgruppe konnte nicht gestartet werden.", "依存関係サービスまたはグループを起動できませんでした。"},
	"The service name is invalid.\r\n\r\nMore help is available by typing NET HELPMSG 2185.": {"Der Dienstname ist ungültig.\r\n\r\nSie erhalten weitere Hilfe, wenn Sie NET HELPMSG 2185 eingeben.", "サービス名が無効です。\r\n\r\nNET HELPMSG 2185 と入力すると、より詳しい説明が得られます。"},
	"The %s service was %s successfully.":                                                    {"%s wurde erfolgreich ausgeführt (%s).", "%s サービスは正常に処理されました (%s)。"},
	"The command completed successfully.":                                                    {"Der Befehl wurde erfolgreich ausgeführt.", "コマンドは正常に終了しました。"},
	"These Windows services are started:":                                                    {"Diese Windows-Dienste sind gestartet:", "次の Windows サービスが開始されています:"},

	"System error 1376 has occurred.\r\n\r\nThe specified local group does not exist.": {"Systemfehler 1376 aufgetreten.\r\n\r\nDie angegebene lokale Gruppe ist nicht vorhanden.", "システム エラー 1376 が発生しました。\r\n\r\n指定されたローカル グループは存在しません。"},

	// schtasks.exe
	"SUCCESS: The scheduled task \"%s\" has successfully been created.":                 {"ERFOLGREICH: Der geplante Task \"%s\" wurde erfolgreich erstellt.", "成功: スケジュール タスク \"%s\" は正しく作成されました。"},
	"SUCCESS: Attempted to run the scheduled task \"%s\".":                              {"ERFOLGREICH: Es wurde versucht, den geplanten Task \"%s\" auszuführen.", "成功: スケジュール タスク \"%s\" の実行が試行されました。"},
	"SUCCESS: The scheduled task \"%s\" was successfully deleted.":                      {"ERFOLGREICH: Der geplante Task \"%s\" wurde erfolgreich gelöscht.", "成功: スケジュール タスク \"%s\" は正しく削除されました。"},
	"SUCCESS: The scheduled task \"%s\" has been terminated successfully.":              {"ERFOLGREICH: Der geplante Task \"%s\" wurde erfolgreich beendet.", "成功: スケジュール タスク \"%s\" は正しく終了されました。"},
	"ERROR: The specified task name \"%s\" does not exist in the system.":               {"FEHLER: Der angegebene Taskname \"%s\" ist auf dem System nicht vorhanden.", "エラー: 指定されたタスク名 \"%s\" はシステムに存在しません。"},
	"ERROR: Invalid Starttime value.":                                                   {"FEHLER: Ungültiger Wert für die Startzeit.", "エラー: 開始時刻の値が無効です。"},
	"ERROR: Invalid argument/option - '%s'.\r\nType \"SCHTASKS /CREATE /?\" for usage.": {"FEHLER: Ungültige(s) Argument/Option - \"%s\".\r\nGeben Sie \"SCHTASKS /CREATE /?\" ein, um die Syntax anzuzeigen.", "エラー: 引数またはオプションが無効です - '%s'。\r\n使用法を表示するには、\"SCHTASKS /CREATE /?\" と入力してください。"},
	"ERROR: The system cannot find the file specified.":                                 {"FEHLER: Das System kann die angegebene Datei nicht finden.", "エラー: 指定されたファイルが見つかりません。"},
	"WARNING: The Scheduled task \"%s\" has been created, but may not run because the account information could not be set.": {
		"WARNUNG: Der geplante Task \"%s\" wurde erstellt, wird eventuell jedoch nicht ausgeführt, da die Kontoinformationen nicht festgelegt werden konnten.",
		"警告: スケジュール タスク \"%s\" は作成されましたが、アカウント情報を設定できなかったため、実行されない可能性があります。",
	},
	"WARNING: The Scheduled task \"%s\" has been created, but may not run because /ST is earlier than current time.": {
		"WARNUNG: Der geplante Task \"%s\" wurde erstellt, wird eventuell jedoch nicht ausgeführt, da /ST vor der aktuellen Zeit liegt.",
		"警告: スケジュール タスク \"%s\" は作成されましたが、/ST が現在の時刻より前であるため、実行されない可能性があります。",
	},
	"WARNING: The Task Name \"%s\" already exists. Do you want to replace it (Y/N)? ": {"WARNUNG: Der Taskname \"%s\" ist bereits vorhanden. Möchten Sie ihn ersetzen (J/N)? ", "警告: タスク名 \"%s\" は既に存在します。置き換えますか (Y/N)? "},
	"TaskName                             Next Run Time            Status         \r\n==================================== ======================== ===============": {
		"Taskname                             Nächste Laufzeit         Status         \r\n==================================== ======================== ===============",
		"タスク名                             次回の実行時刻           状態           \r\n==================================== ======================== ===============",
	},
	"Never": {"Nie", "なし"}, "Running": {"Wird ausgeführt", "実行中"}, "Could not start": {"Konnte nicht gestartet werden", "開始できませんでした"},

	// other programs
	"ERROR: The process \"%s%s\" not found.":                  {"FEHLER: Der Prozess \"%s%s\" wurde nicht gefunden.", "エラー: プロセス \"%s%s\" が見つかりませんでした。"},
	"SUCCESS: The process with PID %s%s has been terminated.": {"ERFOLGREICH: Der Prozess mit PID %s%s wurde beendet.", "成功: PID %s%s のプロセスは強制終了されました。"},
	"Windows IP Configuration":                                {"Windows-IP-Konfiguration", "Windows IP 構成"},
	"Pinging %s with 32 bytes of data:":                       {"Ping wird ausgeführt für %s mit 32 Bytes Daten:", "%s に ping を送信しています 32 バイトのデータ:"},
	"Reply from %s: bytes=32 time<1ms TTL=128":                {"Antwort von %s: Bytes=32 Zeit<1ms TTL=128", "%s からの応答: バイト数 =32 時間 <1ms TTL=128"},

	// WMI and the service control manager
	"Local Fixed Disk":                        {"Lokale Festplatte", "ローカル固定ディスク"},
	"Update for Windows Server 2003":          {"Update für Windows Server 2003", "Windows Server 2003 の更新"},
	"64-bit":                                  {"64-Bit", "64 ビット"},
	"Background Intelligent Transfer Service": {"Intelligenter Hintergrundübertragungsdienst", "バックグラウンド インテリジェント転送サービス"},
	"Event Log":                               {"Ereignisprotokoll", "イベント ログ"},
	"Windows Event Log":                       {"Windows-Ereignisprotokoll", "Windows イベント ログ"},
	"COM+ Event System":                       {"COM+-Ereignissystem", "COM+ イベント システム"},
	"IIS Admin Service":                       {"IIS-Verwaltungsdienst", "IIS 管理サービス"},
	"Net Logon":                               {"Anmeldedienst", "ネット ログオン"},
	"Remote Registry":                         {"Remoteregistrierung", "リモート レジストリ"},
	"Remote Procedure Call (RPC)":             {"Remoteprozeduraufruf (RPC)", "リモート プロシージャ コール (RPC)"},
	"Task Scheduler":                          {"Taskplaner", "タスク スケジューラ"},
	"Windows Firewall/Internet Connection Sharing (ICS)": {"Windows-Firewall/Gemeinsame Nutzung der Internetverbindung", "Windows ファイアウォール/インターネット接続の共有 (ICS)"},
	"Windows Firewall":                          {"Windows-Firewall", "Windows ファイアウォール"},
	"Windows Time":                              {"Windows-Zeitgeber", "Windows 時刻"},
	"World Wide Web Publishing Service":         {"WWW-Publishingdienst", "World Wide Web 発行サービス"},
	"Windows Management Instrumentation":        {"Windows-Verwaltungsinstrumentation", "管理インストルメンテーション"},
	"Windows Remote Management (WS-Management)": {"Windows-Remoteverwaltung (WS-Verwaltung)", "リモート管理 (WS-Management)"},
	"Automatic Updates":                         {"Automatische Updates", "自動更新"},
	"Microsoft Exchange Information Store":      {"Microsoft Exchange-Informationsspeicher", "Microsoft Exchange インフォメーション ストア"},
	"Microsoft Exchange System Attendant":       {"Microsoft Exchange-Systemaufsicht", "Microsoft Exchange System Attendant"},
	"Microsoft Exchange Transport":              {"Microsoft Exchange-Transport", "Microsoft Exchange トランスポート"},

	// Setup, with Options.LocalizedSetup; no such sentence was ever seen
	"Starting Microsoft Exchange Server 2007 Setup":               {"Microsoft Exchange Server 2007-Setup wird gestartet", "Microsoft Exchange Server 2007 セットアップを開始しています"},
	"Setup version: %s.":                                          {"Setupversion: %s.", "セットアップ バージョン: %s。"},
	"Logged on user: %s.":                                         {"Angemeldeter Benutzer: %s.", "ログオン ユーザー: %s。"},
	"Setup is choosing the domain controller to use":              {"Setup wählt den zu verwendenden Domänencontroller aus", "セットアップは使用するドメイン コントローラを選択しています"},
	"Setup will use the domain controller 'dc1.%s'.":              {"Setup verwendet den Domänencontroller 'dc1.%s'.", "セットアップはドメイン コントローラ 'dc1.%s' を使用します。"},
	"The Exchange Server setup operation completed successfully.": {"Der Exchange Server-Setupvorgang wurde erfolgreich abgeschlossen.", "Exchange Server のセットアップ操作は正常に完了しました。"},
	"Exchange Server setup encountered an error.":                 {"Fehler beim Setup von Exchange Server.", "Exchange Server セットアップでエラーが発生しました。"},
	"End of Setup": {"Ende des Setups", "セットアップの終了"},
	"The Exchange Server setup operation did not complete. Visit http://support.microsoft.com and enter the Error ID to find more information.": {
		"Der Exchange Server-Setupvorgang wurde nicht abgeschlossen. Weitere Informationen finden Sie unter http://support.microsoft.com.",
		"Exchange Server のセットアップ操作は完了しませんでした。詳細については http://support.microsoft.com を参照してください。",
	},

	// WinRM
	"The specified class does not exist in the given namespace. ": {"Die angegebene Klasse ist im angegebenen Namespace nicht vorhanden. ", "指定されたクラスは、指定された名前空間に存在しません。 "},
	"The WMI service or the WMI provider returned an unknown error: HRESULT 0x80041001 ": {
		"Der WMI-Dienst oder der WMI-Anbieter hat einen unbekannten Fehler zurückgegeben: HRESULT 0x80041001 ",
		"WMI サービスまたは WMI プロバイダーから不明なエラーが返されました: HRESULT 0x80041001 ",
	},
	"The RPC server is unavailable. ":             {"Der RPC-Server ist nicht verfügbar. ", "RPC サーバーを利用できません。 "},
	"The system cannot find the file specified. ": {"Das System kann die angegebene Datei nicht finden. ", "指定されたファイルが見つかりません。 "},
	"The parameter is incorrect. ":                {"Falscher Parameter. ", "パラメータが間違っています。 "},
}
