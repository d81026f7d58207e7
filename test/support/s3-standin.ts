/**
 * A stand-in for a server that speaks S3: as much of it as a dump asks for, in memory, on a loopback port. The contract of stores
 * runs on real servers; this one fails where a test wants it to.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What is done with a request in place of serving it; undefined serves it. */
export type Fault = (asked: S3Asked) => S3Fault | undefined;

/** An answer that is an error, or none at all. */
export type S3Fault = { readonly status: number; readonly code: string } | 'reset';

/** A request, in words of S3. */
export interface S3Asked {
  readonly what: 'put' | 'part' | 'begin' | 'complete' | 'abort' | 'list' | 'uploads' | 'delete' | 'get' | 'head';
  /** Of a part, from 1. */
  readonly part: number;
}

export class S3StandIn implements AsyncDisposable {
  readonly objects = new Map<string, Buffer>();
  /** What has begun and not ended: parts by number. */
  readonly uploads = new Map<string, { readonly key: string; readonly parts: Map<number, Buffer> }>();
  readonly seen: S3Asked[] = [];
  fault: Fault = () => undefined;
  /** Hears of each request before it is served. */
  onAsked: (asked: S3Asked) => void = () => undefined;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      // A client that goes away in the middle of its body is what some tests are about.
      this.#serve(request, response).catch((error: Error) => response.destroy(error));
    });
    // A connection that is closed for being idle may have a request on its way: not a loss that a test has asked for.
    this.#server.keepAliveTimeout = 0;
  }

  static async start(): Promise<S3StandIn> {
    const standIn = new S3StandIn();
    await new Promise<void>((resolve) => standIn.#server.listen(0, '127.0.0.1', resolve));
    return standIn;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.endpoint);
    const asked: S3Asked = {
      what: whatOf(request.method ?? '', url),
      part: Number(url.searchParams.get('partNumber')),
    };
    const body = await buffer(request);
    this.seen.push(asked);
    this.onAsked(asked);
    const fault = this.fault(asked);
    if (fault === 'reset') request.socket.resetAndDestroy();
    else if (fault !== undefined) answer(response, fault.status, `<Error><Code>${fault.code}</Code></Error>`);
    else this.#does(asked, { key: keyOf(url), upload: url.searchParams.get('uploadId') ?? '', url, body }, response);
  }

  #does(
    { what, part }: S3Asked,
    {
      key,
      upload,
      url,
      body,
    }: { readonly key: string; readonly upload: string; readonly url: URL; readonly body: Buffer },
    response: ServerResponse,
  ): void {
    const etag = { etag: `"${createHash('md5').update(body).digest('hex')}"` };
    const does: Readonly<Record<S3Asked['what'], () => void>> = {
      put: () => {
        this.objects.set(key, body);
        answer(response, 200, '', etag);
      },
      begin: () => {
        const id = `upload-${this.seen.length}`;
        this.uploads.set(id, { key, parts: new Map() });
        answer(
          response,
          200,
          `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`,
        );
      },
      part: () => {
        this.uploads.get(upload)?.parts.set(part, body);
        answer(response, 200, '', etag);
      },
      complete: () => {
        const parts = [...(this.uploads.get(upload)?.parts ?? [])].toSorted(([one], [other]) => one - other);
        this.objects.set(key, Buffer.concat(parts.map(([, bytes]) => bytes)));
        this.uploads.delete(upload);
        answer(response, 200, '<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>');
      },
      abort: () => {
        this.uploads.delete(upload);
        answer(response, 204, '');
      },
      list: () => {
        const prefix = url.searchParams.get('prefix') ?? '';
        const found = [...this.objects].filter(([name]) => name.startsWith(prefix));
        const contents = found.map(
          ([name, { length }]) => `<Contents><Key>${name}</Key><Size>${length}</Size></Contents>`,
        );
        answer(response, 200, `<ListBucketResult>${contents.join('')}</ListBucketResult>`);
      },
      uploads: () => {
        const prefix = url.searchParams.get('prefix') ?? '';
        const found = [...this.uploads].filter(([, { key: name }]) => name.startsWith(prefix));
        const each = found.map(
          ([id, { key: name }]) => `<Upload><Key>${name}</Key><UploadId>${id}</UploadId></Upload>`,
        );
        answer(response, 200, `<ListMultipartUploadsResult>${each.join('')}</ListMultipartUploadsResult>`);
      },
      delete: () => {
        for (const [, name = ''] of body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)) this.objects.delete(name);
        answer(response, 200, '<DeleteResult></DeleteResult>');
      },
      get: () => this.#object(key, response),
      head: () => this.#object(key, response),
    };
    does[what]();
  }

  #object(key: string, response: ServerResponse): void {
    const found = this.objects.get(key);
    if (found === undefined) answer(response, 404, '<Error><Code>NoSuchKey</Code></Error>');
    else response.writeHead(200, { 'content-length': found.length }).end(found);
  }
}

function whatOf(method: string, { searchParams, pathname }: URL): S3Asked['what'] {
  const has = (name: string): boolean => searchParams.has(name);
  const ofKey = pathname.split('/').length > 2 && !pathname.endsWith('/');
  if (method === 'PUT') return has('partNumber') ? 'part' : 'put';
  if (method === 'POST') return has('delete') ? 'delete' : has('uploads') ? 'begin' : 'complete';
  if (method === 'DELETE') return has('uploadId') ? 'abort' : 'delete';
  if (method === 'HEAD') return 'head';
  return has('uploads') ? 'uploads' : ofKey ? 'get' : 'list';
}

/** Without the bucket, which comes first. */
function keyOf({ pathname }: URL): string {
  return decodeURIComponent(pathname).split('/').slice(2).join('/');
}

function answer(
  response: ServerResponse,
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    'content-type': 'application/xml',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}
