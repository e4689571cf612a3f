import jakarta.servlet.http.*;
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.atomic.AtomicInteger;

/** Pages of the Tomcats that tests start. */
public class Pages extends HttpServlet {
  static final AtomicInteger aborted = new AtomicInteger();
  static final AtomicInteger served = new AtomicInteger();
  /** Requests of /visit that are held. */
  static final AtomicInteger held = new AtomicInteger();
  static final String node = System.getProperty("rollcall.node");
  static OutputStream ledger = OutputStream.nullOutputStream();
  /** This process, and which deployment of the context in it. */
  static String instance;

  @Override public void init() {
    String key = "rollcall.deployments" + getServletContext().getContextPath();
    int deployments = Integer.getInteger(key, 0) + 1;
    System.setProperty(key, Integer.toString(deployments));
    instance = node + "#" + ProcessHandle.current().pid() + (deployments == 1 ? "" : "/" + deployments);
    String file = System.getenv("NODE_LEDGER");
    try { if (file != null) ledger = new FileOutputStream(file, true); }
    catch (IOException e) { throw new UncheckedIOException(e); }
  }

  @Override protected void service(HttpServletRequest q, HttpServletResponse r) throws IOException {
    served.incrementAndGet();
    String page = q.getPathInfo() == null ? "" : q.getPathInfo();
    switch (page) {
      case "/echo": echo(q, r); break;
      case "/big": big(q, r); break;
      case "/session": session(q, r); break;
      case "/status": r.setStatus(Integer.parseInt(q.getParameter("code"))); break;
      case "/early": r.setStatus(409); r.getOutputStream().print("no"); break;
      case "/endless": endless(r); break;
      case "/counts": r.getOutputStream().print(aborted.get() + " " + served.get() + " " + held.get()); break;
      default:
        if (page.startsWith("/visit")) visit(q, r);
        else r.sendError(404);
    }
  }

  void echo(HttpServletRequest q, HttpServletResponse r) throws IOException {
    long length = 0;
    StringBuilder hex = new StringBuilder();
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] part = new byte[32768];
      for (int n; (n = q.getInputStream().read(part)) > 0; length += n) digest.update(part, 0, n);
      for (byte b : digest.digest()) hex.append(String.format("%02x", b));
    } catch (IOException e) { aborted.incrementAndGet(); throw e; }
    catch (java.security.NoSuchAlgorithmException e) { throw new IOException(e); }
    r.setContentType("text/plain");
    r.addHeader("X-Two", "1");
    r.addHeader("X-Two", "2");
    StringBuilder text = new StringBuilder();
    text.append("method=" + q.getMethod() + "\nlength=" + length + "\nsha=" + hex + "\nuri=" + q.getRequestURI() + "\nquery=" + q.getQueryString());
    text.append("\nremote=" + q.getRemoteAddr() + "\nscheme=" + q.getScheme() + "\nserver=" + q.getServerName() + ":" + q.getServerPort());
    text.append("\nuser=" + q.getRemoteUser() + "\nprotocol=" + q.getProtocol() + "\nport=" + q.getRemotePort());
    text.append("\ncipher=" + q.getAttribute("jakarta.servlet.request.cipher_suite") + "\nbits=" + q.getAttribute("jakarta.servlet.request.key_size"));
    for (String name : Collections.list(q.getHeaderNames())) for (String value : Collections.list(q.getHeaders(name))) text.append("\nheader " + name.toLowerCase() + "=" + value);
    for (String name : Collections.list(q.getAttributeNames())) text.append("\nattribute " + name);
    r.getOutputStream().print(text.toString());
  }

  void big(HttpServletRequest q, HttpServletResponse r) throws IOException {
    int bytes = Integer.parseInt(q.getParameter("bytes"));
    if (q.getParameter("announced") != null) r.setContentLength(bytes);
    byte[] part = new byte[10000];
    for (int i = 0; i < bytes; ) {
      int n = Math.min(part.length, bytes - i);
      for (int j = 0; j < n; j++, i++) part[j] = (byte) (i * 31 + (i >> 8));
      r.getOutputStream().write(part, 0, n);
    }
  }

  /** Requests of this session, this one included. */
  int count(HttpServletRequest q) {
    HttpSession s = q.getSession();
    synchronized (s) {
      Integer count = (Integer) s.getAttribute("count");
      count = count == null ? 1 : count + 1;
      s.setAttribute("count", count);
      return count;
    }
  }

  void session(HttpServletRequest q, HttpServletResponse r) throws IOException {
    r.getOutputStream().print(node + " " + count(q));
  }

  /**
   * The answer of the programs of test/live-cluster and test/faults: at once, after ?hold=MS, or with ?stream=MS the head at once and the
   * body later. Each step is in the ledger before it is on the wire.
   */
  void visit(HttpServletRequest q, HttpServletResponse r) throws IOException {
    String id = q.getHeader("X-Ledger-Id") == null ? q.getHeader("X-Request-Id") : q.getHeader("X-Ledger-Id");
    write(id, "start");
    byte[] body = q.getInputStream().readAllBytes();
    int count = count(q);
    String text = String.format(Locale.ROOT,
        "{\"id\":\"%s\",\"node\":\"%s\",\"instance\":\"%s\",\"count\":%d,\"fresh\":%b,\"bytes\":%d,\"echo\":\"%s\",\"atMs\":%.3f}",
        id, node, instance, count, count == 1, body.length, new String(body, StandardCharsets.ISO_8859_1), System.nanoTime() / 1e6);
    r.setContentType("application/json");
    if (q.getParameter("stream") != null) {
      write(id, "head");
      r.getOutputStream().print(" ");
      r.flushBuffer();
      hold(q.getParameter("stream"));
    } else {
      hold(q.getParameter("hold"));
      write(id, "head");
      r.setContentLength(text.length());
    }
    r.getOutputStream().print(text);
    r.flushBuffer();
    write(id, "end");
  }

  void hold(String ms) {
    if (ms == null) return;
    held.incrementAndGet();
    try { Thread.sleep(Long.parseLong(ms)); }
    catch (InterruptedException e) { Thread.currentThread().interrupt(); }
    held.decrementAndGet();
  }

  /** Writes before it returns: what a killed process had begun is known. */
  void write(String id, String event) throws IOException {
    String line = String.format(Locale.ROOT, "{\"instance\":\"%s\",\"id\":\"%s\",\"event\":\"%s\",\"atMs\":%.3f}\n", instance, id, event, System.nanoTime() / 1e6);
    ledger.write(line.getBytes(StandardCharsets.ISO_8859_1));
  }

  void endless(HttpServletResponse r) throws IOException {
    byte[] part = new byte[65536];
    try { for (;;) { r.getOutputStream().write(part); r.getOutputStream().flush(); } }
    catch (IOException e) { aborted.incrementAndGet(); throw e; }
  }
}
