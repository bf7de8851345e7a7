#!/bin/bash
set -e

start_nginx() {
    echo "Starting Nginx service..."
    service nginx start
}

execute_script() {
    local script_path=$1
    local script_msg=$2
    if [[ -f ${script_path} ]]; then
        echo "${script_msg}"
        bash ${script_path}
    fi
}

setup_ssh() {
    if [[ $PUBLIC_KEY ]]; then
        echo "Setting up SSH..."
        mkdir -p ~/.ssh
        echo "$PUBLIC_KEY" >> ~/.ssh/authorized_keys
        chmod 700 -R ~/.ssh
        /usr/sbin/sshd -D -e &
    fi
}

start_jupyter() {
    if [[ $JUPYTER_PASSWORD ]]; then
        mkdir -p /workspace
        cd / && \
        nohup python3.11 -m jupyter lab --allow-root --no-browser --port=8888 --ip=* --ServerApp.token=$JUPYTER_PASSWORD &> /jupyter.log &
        echo "Jupyter Lab started"
    fi
}

start_nginx
execute_script "/pre_start.sh" "Running pre-start script..."
echo "Pod Started"
setup_ssh
start_jupyter
execute_script "/post_start.sh" "Running post-start script..."
echo "Start script(s) finished, pod is ready to use."
sleep infinity
