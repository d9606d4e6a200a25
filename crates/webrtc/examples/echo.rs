//! Sends back what comes: reads an offer, up to a line with a single dot, from standard input, and writes the answer.
//!
//! ```text
//! cargo run -p webrtc --example echo -- 127.0.0.1
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a program")]

use std::collections::VecDeque;
use std::error::Error;
use std::io::BufRead;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll, Waker};

use webrtc::{Gateway, Limits, RtpPort};

#[derive(Default)]
struct Echo {
    waiting: VecDeque<Vec<u8>>,
    waker: Option<Waker>,
}

impl RtpPort for Echo {
    fn poll_sent(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Option<usize>> {
        let Some(datagram) = self.waiting.pop_front() else {
            self.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        buffer[..datagram.len()].copy_from_slice(&datagram);
        Poll::Ready(Some(datagram.len()))
    }

    fn deliver(&mut self, datagram: &[u8]) {
        self.waiting.push_back(datagram.to_vec());
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address: IpAddr = std::env::args().nth(1).ok_or("which address?")?.parse()?;
    let gateway = Gateway::bind(SocketAddr::new(address, 0), address, Limits::default()).await?;
    let mut offers = Vec::new();
    let mut lines = std::io::stdin().lock().lines();
    let mut running: Option<webrtc::Handle> = None;
    while let Some(line) = lines.next().transpose()? {
        if line != "." {
            offers.push(line);
            continue;
        }
        let offer = offers.join("\r\n") + "\r\n";
        offers.clear();
        let answer = match &running {
            Some(handle) => tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(handle.reoffer(offer))
            })?,
            None => {
                let (answer, session, handle) = gateway.answer(&offer)?;
                running = Some(handle);
                tokio::spawn(async move {
                    let ended = session.run(Echo::default()).await;
                    eprintln!("{ended:?}");
                });
                answer
            }
        };
        eprintln!("{:?}", answer.terms);
        println!("{}.", answer.sdp);
    }
    if let Some(handle) = running {
        handle.close().await;
        let mut state = handle.state();
        while state.changed().await.is_ok() {}
    }
    eprintln!("{:?}", gateway.traffic());
    Ok(())
}
