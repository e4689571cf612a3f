<?php
// PHP's own sessions. Each copy stores them in a directory of its own, see start.sh.
session_start();
$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;
header('Content-Type: text/plain');
echo getenv('ROLLCALL_NODE_ID'), ' has seen you ', $_SESSION['visits'], " times\n";
