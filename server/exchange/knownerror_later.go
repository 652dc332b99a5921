package exchange

// laterErrors are general: they are looked for after all others.
var laterErrors = []KnownError{
	{
		Rule: "disk-full", Confidence: Remembered,
		Words:  "A disk is full.",
		Remedy: "Free space on the disk that the line names, and run Setup again.",
		Source: "texts of Windows, as remembered",
		Any:    []string{"there is not enough space on the disk", "0x80070070", "disk is full"},
	},
	{
		Rule: "access-denied", Confidence: Remembered,
		Words:  "The account may not do what a step does.",
		Remedy: "Look at the object that the lines name and at its rights; run Setup with an account that is a local administrator and an administrator of this Exchange server.",
		Source: "texts of Windows, as remembered",
		Any:    []string{"access is denied", "unauthorizedaccessexception", "0x80070005"}, InErrors: true,
	},
	{
		Rule: "file-in-use", Confidence: Remembered,
		Words:  "Another program holds a file that Setup replaces.",
		Remedy: "Stop the program (virus scanner, backup, monitoring), or restart the computer, and run Setup again.",
		Source: "texts of Windows, as remembered",
		Any:    []string{"because it is being used by another process", "0x80070020"}, InErrors: true,
	},
}
