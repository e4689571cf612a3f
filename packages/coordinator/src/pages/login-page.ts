/** The page behind a login link: gives the page key to the script, which stores it in the storage of this origin. */

/** `pageKey` is base64url, so it needs no escaping. */
export function loginPage(pageKey: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Login · Rollcall</title>
<meta name="rollcall-page-key" content="${pageKey}">
<script type="module" src="/assets/login.js"></script>
</head>
<body>
<p id="trouble" role="alert" hidden></p>
<noscript><p>This browser is logged in, but the pages need JavaScript.</p></noscript>
</body>
</html>
`;
}
