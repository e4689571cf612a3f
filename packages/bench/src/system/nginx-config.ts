/** Configuration of every nginx of a measurement: one worker in the foreground, all files in one folder. */
export interface NginxSurroundings {
  /** Folder of the pid file, the error log and temporary files. */
  readonly directory: string;
  /** Keep-alive timeout in the format of nginx. Default `10m`. */
  readonly keepAlive?: string;
  /** Value of `access_log`. Default `off`. */
  readonly accessLog?: string;
}

/** The complete configuration with these lines in the `http` block. */
export function nginxConfig(
  { directory, keepAlive = '10m', accessLog = 'off' }: NginxSurroundings,
  http: string,
): string {
  return `daemon off;
worker_processes 1;
pid ${directory}/pid;
error_log ${directory}/error.log crit;
events { worker_connections 16384; }
http {
  access_log ${accessLog};
  keepalive_timeout ${keepAlive};
  keepalive_requests 1000000000;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
${http}}
`;
}
