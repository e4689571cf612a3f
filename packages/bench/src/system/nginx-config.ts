/** What every nginx of a measurement needs: one worker in the foreground, and nothing outside a folder of its own. */
export interface NginxSurroundings {
  /** Gets its pid, its errors and its temporary files. */
  readonly directory: string;
  /** How long idle connections are kept, as nginx writes it. Default `10m`. */
  readonly keepAlive?: string;
  /** Value of `access_log`. Default `off`. */
  readonly accessLog?: string;
}

/** A whole configuration around the lines of an `http` block. */
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
