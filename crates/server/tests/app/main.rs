//! The whole program, called from outside: over HTTP by bots, over SIP by phones, and told to die.
//!
//! Each test starts a server of its own, so they run side by side and in any order.

mod app_media;
mod app_sockets;
mod bad_input;
mod browsers;
mod commands;
mod conformance;
mod console;
mod dial_in;
mod dialling_bots;
mod documented_example;
mod group_calls;
mod hostile_sip;
mod incoming_calls;
mod lab_calls;
mod many_calls;
mod media_operations;
mod meetings;
mod moving_calls;
mod notifications;
mod online_meetings;
mod pages;
mod phone_command;
mod phone_numbers;
mod phones_joining;
mod races;
mod restart;
mod samples;
mod scripted_users;
mod sdk;
mod several_bots;
mod sip_tls;
mod softphone;
mod support;
mod trunks;
mod web_meetings;
mod web_phones;
