//! The least of HTTP that asks a daemon on this machine something: one request per connection, an answer of known
//! length or up to the end.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Chores wait no longer than this for an answer.
const ANSWER_WAIT: Duration = Duration::from_secs(120);

/// Where a daemon listens.
#[derive(Clone, Debug)]
pub enum Place {
    /// A port on loopback.
    Port(u16),
    /// Its local socket, where the user that runs it may do everything.
    Socket(PathBuf),
}

/// What is sent along.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// Its media type.
    pub media_type: &'a str,
    /// It.
    pub bytes: &'a [u8],
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Place {
    /// Asks for a page.
    pub fn get(&self, path: &str) -> Result<Answer> {
        self.request("GET", path, None)
    }

    /// Asks the API for something.
    pub fn get_json(&self, path: &str) -> Result<Value> {
        read(path, &self.request("GET", &format!("/api/v1{path}"), None)?)
    }

    /// Asks the API to do something.
    pub fn post_json(&self, path: &str, body: &Value) -> Result<Value> {
        let bytes = body.to_string().into_bytes();
        let body = Body { media_type: "application/json", bytes: &bytes };
        read(path, &self.request("POST", &format!("/api/v1{path}"), Some(body))?)
    }

    /// Asks the API to remove something.
    pub fn delete(&self, path: &str) -> Result<()> {
        let answer = self.request("DELETE", &format!("/api/v1{path}"), None)?;
        anyhow::ensure!(answer.status < 300, "{path}: {} {}", answer.status, answer.body);
        Ok(())
    }

    /// Hands the API a file.
    pub fn upload(&self, path: &str, name: &str, file: &[u8]) -> Result<Value> {
        let boundary = "the-end-of-a-part-of-this-form";
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: text/csv\r\n\r\n"
        );
        let bytes = [head.as_bytes(), file, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
        let body = Body { media_type: &format!("multipart/form-data; boundary={boundary}"), bytes: &bytes };
        read(path, &self.request("POST", &format!("/api/v1{path}"), Some(body))?)
    }

    fn request(&self, method: &str, path: &str, body: Option<Body<'_>>) -> Result<Answer> {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        let bytes = body.map_or(&[][..], |body| {
            request.push_str(&format!("Content-Type: {}\r\n", body.media_type));
            body.bytes
        });
        request.push_str(&format!("Content-Length: {}\r\n\r\n", bytes.len()));
        let request = [request.as_bytes(), bytes].concat();
        let answer = match self {
            Place::Port(port) => {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, *port))?;
                stream.set_read_timeout(Some(ANSWER_WAIT))?;
                converse(stream, &request)
            }
            Place::Socket(socket) => {
                let stream = UnixStream::connect(socket)?;
                stream.set_read_timeout(Some(ANSWER_WAIT))?;
                converse(stream, &request)
            }
        };
        let answer = answer.with_context(|| format!("{method} {path} broke off"))?;
        parse(&answer).with_context(|| format!("{method} {path} was not answered in HTTP"))
    }
}

fn converse(mut stream: impl Read + Write, request: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

fn read(path: &str, answer: &Answer) -> Result<Value> {
    if !(200..300).contains(&answer.status) {
        bail!("{path} was answered {}: {}", answer.status, answer.body);
    }
    serde_json::from_str(&answer.body).with_context(|| format!("{path} was not answered in JSON"))
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let raw = &answer[end + 4..];
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { unchunk(raw)? } else { raw.to_vec() };
    Some(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

/// RFC 9112 §7.1, without trailers.
fn unchunk(mut raw: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = raw.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&raw[..line_end]).ok()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend(raw.get(line_end + 2..line_end + 2 + size)?);
        raw = raw.get(line_end + 2 + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_kinds_of_bodies() {
        let plain = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
        assert_eq!((plain.status, plain.body.as_str()), (200, "ok"));
        let chunked =
            parse(b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n1\r\n!\r\n0\r\n\r\n").unwrap();
        assert_eq!((chunked.status, chunked.body.as_str()), (404, "no!"));
    }
}
